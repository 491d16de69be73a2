"""Each listed picture as plain values: names for classes, the path of the file."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodbench.core.errors import DataError
from oodbench.data.entries import file_exists
from oodbench.reports.comparisons.text import labels_of, mark
from oodbench.reports.comparisons.words import cell_of
from oodbench.reports.mistakes.find import Mistakes
from oodbench.reports.mistakes.pictures import Pictures


@dataclass(frozen=True)
class Answer:
    """What a run decided for.

    Attributes:
        predicted: name of the class.
        confidence: its probability, None where it is not recorded.
        right: whether the benchmark counts it as right.
    """

    predicted: str
    confidence: float | None
    right: bool

    def __str__(self) -> str:
        return self.predicted + (
            "" if self.confidence is None else f" ({100 * self.confidence:.1f} %)"
        )


@dataclass(frozen=True)
class Row:
    """A picture, or a frame of a clip.

    Attributes:
        image, split, frame: as in the records.
        path: where the file is that shows it or that it is made from, or would be.
        is_there: whether there is a file.
        true: name of its class.
        answers: of the runs, one or two.
        stored: the row that it was made from.
    """

    image: str
    split: str
    frame: int
    path: Path
    is_there: bool
    true: str
    answers: tuple[Answer, ...]
    stored: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The path; of a picture that is made from it, the split; of a clip, the frame; whether it
        is gone."""
        made = self.split if self.split and self.split not in str(self.path) else ""
        frame = f"frame {self.frame}" if self.frame else ""
        gone = "" if self.is_there else "(gone)"
        return " ".join(filter(None, [str(self.path), made, frame, gone]))


@dataclass(frozen=True)
class Listing:
    """A list of pictures, and where they are."""

    mistakes: Mistakes
    pictures: Pictures
    rows: tuple[Row, ...]


def listings(found: Sequence[Mistakes], data_root: Path | None = None) -> list[Listing]:
    """The lists with the paths of their pictures.

    Args:
        data_root: see `Pictures`.
    """
    made = []
    for one in found:
        pictures = Pictures(one.runs[0], data_root)
        made.append(Listing(one, pictures, tuple(_rows_of(one, pictures))))
    return made


def title(listed: Mistakes) -> str:
    """Which runs a list is of, and what has to be known of them."""
    if len(listed.runs) == 1:
        named = cell_of(listed.runs)
        marks = [mark(listed.runs[0])]
    else:
        first, second = labels_of(listed.runs[0], listed.runs[1])
        named = f"{cell_of(listed.runs)}: A {first}, B {second}"
        marks = [mark(run) for run in listed.runs]
        if marks[0] != marks[1]:
            marks = [
                f"{side} {text}" if text else "" for side, text in zip("AB", marks, strict=True)
            ]
        else:
            marks = marks[:1]
    said = "; ".join(filter(None, marks))
    return f"{named}  [{said}]" if said else named


def summary(listed: Mistakes) -> str:
    """How many pictures were found, of how many, and how many of them are listed."""
    n_listed, n_found = len(listed.rows), listed.n_found
    if len(listed.runs) == 1:
        said = f"{n_found} of {listed.n_scored} wrong"
    else:
        n_gained = listed.n_gained
        said = f"right in A alone: {n_found - n_gained}, in B alone: {n_gained}"
    if n_listed < n_found:
        confident = not listed.rows["confidence_first"].isna().all()
        said += f"; the first {n_listed}{', most confident mistakes first' if confident else ''}"
    if listed.rows["frame"].any():
        said += "; of each clip one frame"
    attacked = [run for run in listed.runs if run.attack_traits is not None]
    return f"{said}; attacked, and named as they were before" if attacked else said


def _rows_of(listed: Mistakes, pictures: Pictures) -> Iterator[Row]:
    """The listed pictures of one list.

    Args:
        pictures: of its first run.
    """
    for stored in listed.rows.to_dict("records"):
        row = {str(name): value for name, value in stored.items()}
        gained = row.get("gained")
        answers = [_answer(listed, row, "first", right=gained is not None and not gained)]
        if gained is not None:
            answers.append(_answer(listed, row, "second", right=bool(gained)))
        path = pictures.file(row)
        yield Row(
            image=str(row["image"]),
            split=str(row["split"]),
            frame=int(row["frame"]),
            path=path,
            is_there=_is_there(path),
            true=listed.name(int(row["label"])),
            answers=tuple(answers),
            stored=row,
        )


def _is_there(path: Path) -> bool:
    try:
        return file_exists(path)
    except DataError:  # a damaged container
        return False


def _answer(listed: Mistakes, row: Mapping[str, Any], side: str, *, right: bool) -> Answer:
    confidence = float(row[f"confidence_{side}"])
    known = None if math.isnan(confidence) else confidence
    return Answer(listed.name(int(row[side])), known, right)
