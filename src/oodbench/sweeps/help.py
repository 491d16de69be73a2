"""What `--help` prints: the groups of a command with their configs, and each key in one line."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from inspect import getdoc
from pathlib import Path
from textwrap import fill
from typing import Any, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from oodbench.core.descriptions import descriptions, first_sentence
from oodbench.core.schema import shipped
from oodbench.core.shipped import shipped_content

_WIDTH = 110
_LONGEST = 34
"""Characters of KEY=DEFAULT beside which the description stands; after a longer one it follows."""

_OPTIONS = """Options:
  --multirun, -m     a sweep: KEY=A,B or KEY=glob(*) stands for several runs
  --cfg job          print the config and run nothing; with --resolve, all values filled in
  --config-dir DIR   configs of your own, DIR/GROUP/NAME.yaml
  --shell-completion install=bash    tab completion: evaluate what it prints
  --version, --hydra-help"""


def help_text(
    command: str, summary: str, primary: str, schema: type, config_dir: Path | None = None
) -> str:
    """The help of a command that Hydra starts.

    Args:
        command: its name.
        summary: one line on what it does.
        primary: name of its primary config.
        schema: the dataclass of that config.
        config_dir: folder of further configs, as `--config-dir`.
    """
    config = OmegaConf.create(shipped_content("", primary) or {})
    lines = [
        f"usage: {command} [OPTION …] [GROUP=NAME …] [KEY=VALUE …]",
        "",
        summary,
        "",
        _OPTIONS,
        "",
        "Groups, GROUP=NAME:",
        *_groups(config, config_dir),
        "",
        f"Keys, KEY=VALUE, with their defaults; those of a chosen config: {command} --cfg job "
        "GROUP=NAME",
        *_keys(schema, config),
    ]
    return "\n".join(lines)


def _groups(config: DictConfig, config_dir: Path | None) -> Iterator[str]:
    """The groups in the defaults list, each with the names of its configs."""
    for entry in config.defaults:
        if not isinstance(entry, DictConfig):
            continue
        ((group, default),) = ((str(name), entry[name]) for name in entry)
        own = [] if config_dir is None else (config_dir / group).glob("*.yaml")
        names = sorted({*shipped(group), *(path.stem for path in own)})
        chosen = "" if default is None else f" (default: {default})"
        text = f"{group}{chosen}: {', '.join(names)}"
        yield fill(text, _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _keys(schema: type, config: Any, prefix: str = "") -> Iterator[str]:
    """The keys of a node: first its own, then those of the nodes in it."""
    described, hints = descriptions(schema), get_type_hints(schema)
    nested = []
    for field in fields(schema):
        if is_dataclass(hints[field.name]):
            nested.append(field.name)
        else:
            default = _default(schema, field.name, config)
            yield _line(f"{prefix}{field.name}{default}", described[field.name])
    for name in nested:
        about = first_sentence(getdoc(hints[name]) or "").replace("`", "")
        yield f"\n  {prefix}{name}: {about}"
        inner = config.get(name) if isinstance(config, DictConfig) else None
        yield from _keys(hints[name], inner, f"{prefix}{name}.")


def _line(key: str, description: str) -> str:
    return f"  {key:<{_LONGEST}}  {description.replace('`', '')}".rstrip()


def _default(schema: type, name: str, config: Any) -> str:
    """`=VALUE` as an override is written; "" where it has to be given, or others decide on it."""
    node: Any = OmegaConf.structured(schema)
    if isinstance(config, DictConfig) and name in config:
        node = config
    try:
        value = node[name]
    except OmegaConfBaseException:
        return ""
    if isinstance(value, DictConfig):
        return ""
    if isinstance(value, ListConfig):
        return f"=[{','.join(map(str, value))}]"
    if isinstance(value, bool) or value is None:
        return f"={_YAML[value]}"
    return f"={value}" if value != "" else '=""'


_YAML = {True: "true", False: "false", None: "null"}
