"""`logger=mlflow`: one MLflow run a run."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oodbench.core.errors import ConfigError
from oodbench.core.files import digest
from oodbench.sweeps.loggers.base import Logged

if TYPE_CHECKING:
    from mlflow import MlflowClient

_IDENTITY = "oodbench.identity"
_RESULT = "oodbench.result"
"""Tags: which run it is, and the sha256 of the result.json that was logged."""

_BATCH = 100
"""Parameters that the server takes in one request; of metrics it takes ten times as many."""

_LONGEST = 500
"""Characters of a parameter that every server takes."""

_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""What the library would do otherwise: try for minutes to reach a server that is away."""

_NOT_IN_NAMES = re.compile(r"[^\w.\- /]")


class MLflowLogger:
    """Logs to an MLflow server, or to whatever the tracking URI names.

    A run is found again by the tag `oodbench.identity`; one whose result is the same is left alone.
    """

    def __init__(self, *, tracking_uri: str | None = None, experiment: str) -> None:
        """Nothing is connected yet.

        Args:
            tracking_uri: such as `http://127.0.0.1:5000`; None: what MLflow takes by itself.
            experiment: made where there is none of the name.
        """
        self.tracking_uri = tracking_uri
        self.experiment = experiment

    def log(self, run: Logged) -> None:
        """Log parameters, metrics and files of the run, unless they are there.

        Raises:
            ConfigError: MLflow is not installed.
            mlflow.exceptions.MlflowException: the server refuses, or is away.
        """
        with _settings():
            self._log(_client(self.tracking_uri), run)

    def _log(self, client: "MlflowClient", run: Logged) -> None:
        experiment = self._experiment_id(client)
        sha256 = digest(run.files[0], "sha256")
        wanted = f"tags.`{_IDENTITY}` = '{run.identity}'"
        found = client.search_runs([experiment], wanted, max_results=1)
        if found and found[0].data.tags.get(_RESULT) == sha256:
            return
        run_id = found[0].info.run_id if found else self._begun(client, experiment, run)
        self._log_scores(client, run_id, run)
        for file in run.files:
            client.log_artifact(run_id, str(file))
        client.set_tag(run_id, _RESULT, sha256)
        client.set_terminated(run_id)

    def _experiment_id(self, client: "MlflowClient") -> str:
        found = client.get_experiment_by_name(self.experiment)
        return str(found.experiment_id if found else client.create_experiment(self.experiment))

    def _begun(self, client: "MlflowClient", experiment: str, run: Logged) -> str:
        """A new run with its tags and parameters, which cannot be changed afterwards."""
        from mlflow.entities import Param

        facts = {f"oodbench.{name}": value for name, value in run.facts.items()}
        tags = {**facts, _IDENTITY: run.identity}
        run_id: str = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
        settings = {**run.facts, **run.config}
        params = [Param(_name(key), value[:_LONGEST]) for key, value in settings.items()]
        for first in range(0, len(params), _BATCH):
            client.log_batch(run_id, params=params[first : first + _BATCH])
        return run_id

    def _log_scores(self, client: "MlflowClient", run_id: str, run: Logged) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_name(name), value, now, 0) for name, value in run.scores.items()]
        for first in range(0, len(metrics), _BATCH):
            client.log_batch(run_id, metrics=metrics[first : first + _BATCH])
        for name in ("status", "difference"):
            client.set_tag(run_id, f"oodbench.{name}", run.facts[name])


@contextmanager
def _settings() -> Iterator[None]:
    """`_SETTINGS`, but for what the user has set."""
    added = _SETTINGS.keys() - os.environ.keys()
    os.environ.update({name: _SETTINGS[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _client(tracking_uri: str | None) -> Any:
    """Not the library's global one, which belongs to the user's own code."""
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise ConfigError(
            "MLflow is not installed: pip install 'mlflow>=3', after oodbench, since it asks for a "
            "newer requests than torchattacks (docs/loggers.md)"
        ) from None
    return MlflowClient(tracking_uri)


def _name(text: str) -> str:
    """As MLflow allows it."""
    return _NOT_IN_NAMES.sub("_", text)
