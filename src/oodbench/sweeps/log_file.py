"""The log file of a job, which ends nothing and shows no traceback where the disk is full."""

import logging
import sys


class LogFile(logging.FileHandler):
    """A handler that says once that its file cannot be written; the console has the lines."""

    _said = False

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            super().flush()
        except OSError as error:
            self._say(error)

    def handleError(self, record: logging.LogRecord) -> None:
        """Called by `logging` within the handling of an exception.

        Args:
            record: the line that is not written.
        """
        error = sys.exception()
        if isinstance(error, OSError):
            self._say(error)
        else:
            super().handleError(record)

    def _say(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            print(
                f"warning: {self.baseFilename}: {error.strerror}: lines are missing there",
                file=sys.stderr,
            )
