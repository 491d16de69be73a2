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
