"""`logger=wandb`: one run of Weights & Biases a run."""

import shutil
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.core.files import digest
from oodbench.sweeps.loggers.base import Logged

_DONE = "logged"
"""File in the library's folder of a run: where it was logged to, and the sha256 of its result."""


class WandbLogger:
    """Logs to Weights & Biases, or offline into a folder that `wandb sync` sends later.

    The run's id is made from its key, so that one that is logged again is the same run there. One
    that was logged from this folder, and whose result is still the same, is left alone.
    """

    def __init__(
        self, *, project: str, entity: str | None = None, mode: str | None = None, dir: str
    ) -> None:
        """Nothing is connected yet.

        Args:
            project: made where there is none of the name.
            entity: user or team; None: that of the account.
            mode: online, offline or disabled; None: as WANDB_MODE says, else online.
            dir: below it, in `wandb`, lie the library's own files.
        """
        self.project = project
        self.entity = entity
        self.mode = mode
        self.dir = dir

    def log(self, run: Logged) -> None:
        """Log config, summary and files of the run.

        Raises:
            ConfigError: wandb is not installed.
            wandb.Error: the server refuses, or is away.
        """
        state = f"{self.entity}/{self.project} {digest(run.files[0], 'sha256')}"
        own = Path(self.dir, "wandb").glob(f"*run-*-{run.identity}/{_DONE}")
        if any(file.read_text(encoding="utf-8") == state for file in own):
            return
        try:
            import wandb
        except ImportError:
            raise ConfigError(f"wandb is not installed: {install_extra('wandb')}") from None
        Path(self.dir).mkdir(parents=True, exist_ok=True)
        with wandb.init(
            project=self.project,
            entity=self.entity,
            mode=self.mode,  # type: ignore[arg-type]
            dir=self.dir,
            id=run.identity,
            name=run.name,
            resume="allow",
            reinit="create_new",  # a run of the user's own goes on
            config={**run.facts, **run.config},
            settings=wandb.Settings(console="off", silent=True, disable_git=True),
        ) as there:
            there.summary.update(dict(run.scores))
            for file in run.files:
                copied = shutil.copy(file, there.dir)  # or the library would link to it, and warn
                there.save(copied, base_path=there.dir, policy="now")
            folder = Path(there.dir).parent
        (folder / _DONE).write_text(state, encoding="utf-8")
