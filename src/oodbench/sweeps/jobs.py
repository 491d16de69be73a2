"""The jobs of a command line, as Hydra itself would launch them, without launching any."""

import copy
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal import hydra as hydra_module
from hydra._internal import utils as hydra_utils
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.core_plugins import basic_sweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.errors import ConfigError
from oodbench.sweeps.composing import CONFIG_PATH, register_all
from oodbench.sweeps.launch_errors import launch_line

CONFIG_NAME = "config"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def jobs(
    overrides: Sequence[str], *, multirun: bool = False, config_dir: Path | None = None
) -> list[list[str]]:
    """Overrides of every job that `oodbench` would run, in its order.

    Args:
        overrides: of the command line, sweeps such as `model=a,b` and `glob(*)` among them.
        multirun: whether -m is given; an experiment with `hydra.mode: MULTIRUN` needs none.
        config_dir: folder of further configs, as `--config-dir`.

    Returns:
        One list for a single run; none for a sweep that matches no config.

    Raises:
        ConfigError: Hydra refuses the overrides, or another sweeper than its basic one is asked
            for, whose jobs are not known beforehand.
    """
    return Launch(overrides, multirun=multirun, config_dir=config_dir).jobs


class Launch:
    """What a command line starts; the function `jobs` has the arguments and errors.

    Attributes:
        jobs: overrides of each job.
    """

    def __init__(
        self, overrides: Sequence[str], *, multirun: bool = False, config_dir: Path | None = None
    ) -> None:
        register_all()
        self._loader = _loader(config_dir)
        self._hydra = Hydra(task_name="oodbench", config_loader=self._loader)
        given = list(overrides)
        try:
            mode = self._hydra.get_mode(CONFIG_NAME, given)
            self.multirun = multirun or mode == RunMode.MULTIRUN
            self._master = self._composed(given) if self.multirun else None
            self.jobs = _expanded(self._loader, self._master) if self._master else [given]
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(launch_line(error)) from None

    def config(self, job: Sequence[str]) -> DictConfig:
        """The config that the job's task gets, for `oodbench.core.schema.validate`.

        Args:
            job: one of `jobs`.

        Raises:
            ConfigError: Hydra refuses the overrides.
        """
        try:
            if self._master is None:
                config = self._composed(list(job))
            else:
                config = self._loader.load_sweep_config(self._master, list(job))
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(launch_line(error)) from None
        with open_dict(config):
            del config["hydra"]
        return config

    def _composed(self, overrides: list[str]) -> DictConfig:
        mode = RunMode.MULTIRUN if self.multirun else RunMode.RUN
        return self._hydra.compose_config(
            CONFIG_NAME, overrides, run_mode=mode, with_log_configuration=False
        )


def _if_picklable() -> suppress:
    """Hydra loads the modules of its plugins anew, so that nodes of launchers may not be had by the
    names of their classes."""
    return suppress(pickle.PicklingError)


class _Repository(ConfigRepository):
    """Reads and parses every file once, not once per job: most of a composition's time."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._read: dict[str, bytes] = {}

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Other sources may hold other files of the same names."""
        super().initialize_sources(config_search_path)
        self._read = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A copy, because Hydra merges into what it gets: by way of a pickle, which is fastest."""
        if config_path in self._read:
            known: ConfigResult | None = pickle.loads(self._read[config_path])
            return known
        found = super().load_config(config_path)
        with _if_picklable():
            self._read[config_path] = pickle.dumps(found)
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Repository":
        """Hydra copies the repository for every job, to change the copy's sources."""
        twin = copy.copy(self)
        twin.sources = list(self.sources)
        return twin


class _Loader(ConfigLoaderImpl):
    """Hydra's loader, which reads every file once."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = _Repository(config_search_path)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        """Hydra's, which would raise a ValueError for a group whose value is no name."""
        parsed, repository = super()._parse_overrides_and_create_caching_repo(
            config_name, overrides
        )
        for override in parsed:
            if not override.is_sweep_override() and _is_nameless(override):
                _refuse_group(override, repository)
        return parsed, repository


def _is_nameless(override: Override) -> bool:
    """Whether its value is neither a name, nor names, nor the content of a group's node."""
    return not override.is_delete() and not isinstance(override.value(), str | list | dict)


def _refuse_group(override: Override, repository: CachingConfigRepository) -> None:
    """Refuse the override of a group whose value is no name."""
    group = override.key_or_group
    if not repository.group_exists(group):
        return
    options = repository.get_group_options(group)
    hint = f"for none give {group}=none; " if "none" in options else ""
    raise ConfigCompositionException(
        f"{override.input_line}: {group} takes the name of a config: {hint}available: "
        f"{', '.join(options)}"
    )


class SweepLoader(_Loader):
    """Composes every job of a sweep once.

    Hydra's sweepers compose each job to check it, its launchers do it again to start the job.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._checked: dict[tuple[str, ...], bytes] = {}

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """The config of one job; every second time with the same overrides the one made before."""
        job = tuple(sweep_overrides)
        if job in self._checked:
            checked: DictConfig = pickle.loads(self._checked.pop(job))
            return checked
        config = super().load_sweep_config(master_config, sweep_overrides)
        with _if_picklable():  # else the job is composed twice
            self._checked[job] = pickle.dumps(config)
        return config

    def __getstate__(self) -> dict[str, Any]:
        """Launchers may send their loader along with each job."""
        return {**self.__dict__, "_checked": {}}


def launch_with(loader: type[ConfigLoaderImpl]) -> None:
    """Make it the loader of all that Hydra starts in this process, which has no option for it."""
    vars(hydra_module)["ConfigLoaderImpl"] = loader


def report_with(report: Callable[[Callable[[], Any]], Any]) -> None:
    """Make it call all that Hydra starts in this process, and say what was raised."""
    vars(hydra_utils)["run_and_report"] = report


def given_options(arguments: Sequence[str]) -> dict[str, Any]:
    """What Hydra takes from a command line; where it is wrong, the process ends with 2."""
    return vars(hydra_utils.get_args_parser().parse_args(arguments))


def options_with_values() -> dict[str, bool]:
    """The options of Hydra behind which a value stands, and whether it may be left out."""
    return {
        name: action.nargs == "?"
        for action in hydra_utils.get_args_parser()._actions
        for name in action.option_strings
        if action.nargs != 0
    }


def given_config_dir(arguments: Sequence[str]) -> Path | None:
    """What a command line gives as `--config-dir`, None where nothing."""
    known, _ = hydra_utils.get_args_parser().parse_known_args(arguments)
    return None if known.config_dir is None else Path(known.config_dir)


def expanded_jobs(master: DictConfig, config_dir: Path | None) -> list[list[str]]:
    """Overrides of every job of a sweep that Hydra has composed.

    Args:
        master: its config, Hydra's own node in it.
        config_dir: `--config-dir`.

    Raises:
        ConfigError: another sweeper than the basic one decides on its jobs while it runs.
    """
    return _expanded(_loader(config_dir), master)


def _loader(config_dir: Path | None) -> _Loader:
    """As `hydra.main` makes it from `--config-dir`."""
    search_path = create_automatic_config_search_path(None, None, CONFIG_PATH)
    if config_dir is not None:
        if not config_dir.is_dir():
            raise ConfigError(f"--config-dir {config_dir}: no such folder")
        search_path.prepend(
            provider="command-line",
            path=f"file://{config_dir.resolve()}",
            anchor=SearchPathQuery(provider="schema"),
        )
    return _Loader(search_path)


def _expanded(loader: ConfigLoaderImpl, master: DictConfig) -> list[list[str]]:
    """What the sweeper of the config would launch: its parameters, then the command line's."""
    node = master.hydra.sweeper
    if node._target_ != BASIC_SWEEPER:
        raise ConfigError(
            f"hydra.sweeper={node._target_}: decides on its jobs while it runs: only those of the "
            "basic sweeper can be planned"
        )
    # Looked up here, not imported: Hydra loads the modules of its plugins anew.
    sweeper = basic_sweeper.BasicSweeper(max_batch_size=node.max_batch_size, params=node.params)
    of_task = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
    assert isinstance(of_task, list)
    parser = OverridesParser.create(config_loader=loader)
    parsed = parser.parse_overrides([*sweeper._parse_config(), *map(str, of_task)])
    batches = sweeper.split_arguments(parsed, sweeper.max_batch_size)
    return [list(job) for batch in batches for job in batch]
