"""The log of a training: a CSV file and, where asked for, TensorBoard events."""

import csv
import importlib.util
import io
import shutil
from pathlib import Path

from oodbench.core.errors import ConfigError
from oodbench.core.extras import install_extra
from oodbench.core.files import write_text
from oodbench.probe.training import Row

COLUMNS = ("epoch", "lr", "train_loss", "train_top1", "val_loss", "val_top1")
_TAGS = {
    "lr": "lr",
    "train_loss": "loss/train",
    "val_loss": "loss/val",
    "train_top1": "top1/train",
    "val_top1": "top1/val",
}


def write_csv(path: Path, rows: list[Row]) -> None:
    """All rows, atomically: a resumed training never leaves an epoch twice."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def check_tensorboard() -> None:
    """Refuse, before the training, what would fail after its first epoch.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            f"tensorboard=true: TensorBoard is not installed: {install_extra('tensorboard')}"
        )


class TensorBoard:
    """Events of a training, rewritten from all rows when it starts or resumes.

    Args:
        folder: only ever holds one event file.
        rows: of the epochs that are finished.
    """

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder))
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Write the events of one epoch."""
        for column, tag in _TAGS.items():
            self._writer.add_scalar(tag, row[column], int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Close the file: no epoch will follow."""
        self._writer.close()
