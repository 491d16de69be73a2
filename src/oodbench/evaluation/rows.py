"""Gathers the records of a chunk, and writes it when its last batch is through, or on Ctrl-C."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodbench.benchmarks.base import LabelReadout, Readout
from oodbench.data.read_files import Decoded
from oodbench.evaluation.batches import Batch, Frame
from oodbench.runs.chunks import Chunk
from oodbench.runs.claims import Claims
from oodbench.runs.records import ChunkInfo, Skipped

Columns = dict[str, NDArray[Any]]

ROWS = 64
"""Rows per call of the readout: small batches, one by one, would cost time."""


@dataclass(frozen=True)
class Computed:
    """What the engine has made of a batch.

    Attributes:
        logits: float32 `(N, 1000)`.
        attacked: what an attack has recorded, each `(N,)`.
        engine, note: of the forward pass.
        batch_size: pictures in the network at once.
    """

    logits: NDArray[np.float32]
    attacked: Columns
    engine: str
    note: str
    batch_size: int


class Rows:
    """The records of a run on their way to its files.

    Args:
        claims: write the chunks.
        readout: logits -> columns.
        label_readout: logits and labels -> further columns, where there are any.
        device: what the files say of themselves.
    """

    def __init__(
        self,
        claims: Claims,
        readout: Readout,
        label_readout: LabelReadout | None = None,
        *,
        device: str,
    ) -> None:
        self._claims = claims
        self._readout = readout
        self._label_readout = label_readout
        self._device = device
        self._batch_size = 0
        self._engine = self._note = ""
        self._parts: list[Columns] = []
        self._skipped: list[Skipped] = []
        self._deep: list[int] = []
        self._decoded: dict[int, Decoded] = {}
        self._waiting: list[tuple[Batch, Computed]] = []
        self._chunk: Chunk | None = None
        self._ends_item = True

    def add(self, batch: Batch, computed: Computed | None) -> None:
        """Take the next batch; None where it has no frames."""
        self._chunk = batch.chunk
        self._skipped += batch.skipped
        self._deep += batch.deep
        self._decoded |= batch.decoded
        if computed is not None:
            self._engine, self._note = computed.engine, computed.note
            self._batch_size = computed.batch_size
            self._waiting.append((batch, computed))
            self._ends_item = batch.frames[-1].last
        if batch.last or sum(len(known.logits) for _, known in self._waiting) >= ROWS:
            self._read_out()
        if batch.last:
            self._claims.write(batch.chunk, *self._taken(batch.chunk, batch.chunk.stop))

    def keep(self) -> None:
        """Write what there is of a chunk whose last batch has not come: its first items.

        The next run goes on after these, as after a smaller limit.
        """
        chunk = self._chunk
        if chunk is None:
            return
        self._read_out()
        columns = _joined(self._parts)
        position = columns["position"] if columns else np.empty(0, np.int32)
        if not self._ends_item:  # a clip whose other frames have not come
            columns = {name: values[position < position[-1]] for name, values in columns.items()}
            position = columns["position"]
        n_items = len(np.unique(position)) + len(self._skipped)
        if n_items:
            self._parts = [columns] if len(position) else []
            self._claims.keep(chunk, *self._taken(chunk, chunk.start + n_items))

    def _read_out(self) -> None:
        if not self._waiting:
            return
        split = self._waiting[0][0].chunk.split.name
        frames = [frame for batch, _ in self._waiting for frame in batch.frames]
        logits = np.concatenate([computed.logits for _, computed in self._waiting])
        attacked = _joined([computed.attacked for _, computed in self._waiting])
        columns = {**_identity(frames, split), **attacked, **self._readout(logits)}
        if self._label_readout is not None:
            columns |= self._label_readout(logits, columns["label"])
        self._parts.append(columns)
        self._waiting = []

    def _taken(self, chunk: Chunk, stop: int) -> tuple[Columns, ChunkInfo, dict[int, Decoded]]:
        """What `Claims.write` takes of a chunk whose items are there up to `stop`; forgets it."""
        before = self._claims.before(chunk)
        info = ChunkInfo(
            n_items=stop - chunk.first,
            skipped=(*(before.skipped if before else ()), *self._skipped),
            engine=_both(before.engine if before else "", self._engine),
            device=_both(before.device if before else "", self._device),
            batch_size=self._batch_size,
            note=_both(before.note if before else "", self._note),
            deep=(
                *(before.deep if before else ()),
                *(position for position in self._deep if position < stop),
            ),
        )
        columns = _joined(self._parts)
        decoded = {place: known for place, known in self._decoded.items() if place < stop}
        self._parts, self._skipped, self._deep, self._decoded = [], [], [], {}
        self._chunk = None
        return columns, info, decoded


def _both(before: str, now: str) -> str:
    """The name for rows that were computed in two sessions."""
    return " and ".join(dict.fromkeys(filter(None, (before, now))))


def _joined(parts: Sequence[Columns]) -> Columns:
    names = parts[0] if parts else ()
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _identity(frames: list[Frame], split: str) -> Columns:
    items = [frame.item for frame in frames]
    columns: Columns = {
        "image": np.array([item.image for item in items], dtype=object),
        "split": np.array([split] * len(items), dtype=object),
        "position": np.array([frame.position for frame in frames], dtype=np.int32),
        "frame": np.array([frame.index for frame in frames], dtype=np.int16),
        "label": np.array([item.label for item in items], dtype=np.int16),
    }
    for name in items[0].columns:
        columns[name] = np.array([item.columns[name] for item in items])
    return columns
