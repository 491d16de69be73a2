"""What models, benchmarks, preprocessings and attacks may be called: names become folders."""

import re

from oodbench.core.errors import ConfigError

MOST = 100
"""Characters: file systems allow 255 bytes."""

_NAME = re.compile(r"\w(?:[\w .,+@=-]*[\w+@=-])?")


def check_name(key: str, name: object) -> str:
    """The name, if it can be that of a folder and stand in a table.

    Letters and digits of any script, `_ . , + @ = -` and blanks between them; it begins with a
    letter, a digit or `_`.

    Args:
        key: of the config, for the message.
        name: as the config has it; a number is taken as its digits.

    Raises:
        ConfigError: it is another one.
    """
    text = str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""
    if not _NAME.fullmatch(text) or len(text) > MOST:
        raise ConfigError(
            f"{key}={shown(name)}: becomes the name of a folder: 1 to {MOST} letters, digits and "
            "_ . , + @ = -, the first one a letter, a digit or _"
        )
    return text


def shown(value: object, most: int = 60) -> str:
    """A value from a config on one line, cut where it is long."""
    text = str(value).encode("unicode_escape", "backslashreplace").decode("ascii")
    if isinstance(value, str) and value.isprintable():
        text = value
    return text if len(text) <= most else f"{text[: most - 1]}…"
