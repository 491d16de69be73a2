"""Errors that a user can fix: each message is one line, with the file or key and the remedy."""


class OodbenchError(Exception):
    """Base of every error that is reported as one line, without a traceback."""


class ConfigError(OodbenchError):
    """A config key or value is wrong."""


class DataError(OodbenchError):
    """A data set or one of its files is missing, incomplete or unreadable."""


class WeightsError(OodbenchError):
    """Weights are missing, have the wrong hash, or do not fit the network."""


class AttackError(OodbenchError):
    """An attack broke a promise: its result left the ball or the pixel range."""


class OutputError(OodbenchError):
    """What a network returned for a picture is no answer."""


def one_line(error: BaseException, most: int | None = None) -> str:
    """Everything that an error says, on one line; the name of its class where it says nothing.

    Args:
        most: characters; what is longer is cut.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    return said if most is None or len(said) <= most else f"{said[: most - 1]}…"


def first_line(error: BaseException) -> str:
    """The first line of what an error says; the name of its class where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def failure_line(error: BaseException) -> str:
    """The first line, for a list of failures; with its class where it is no `OodbenchError`."""
    said = first_line(error)
    name = type(error).__name__
    return said if isinstance(error, OodbenchError) or said == name else f"{name}: {said}"
