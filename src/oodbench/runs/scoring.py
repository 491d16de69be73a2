"""Records on disk -> result.json and summary.json. Needs no model."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from oodbench.benchmarks.base import Benchmark
from oodbench.core.building import build
from oodbench.core.errors import AttackError, DataError
from oodbench.metrics.adversarial import attacked_only
from oodbench.metrics.attack_traits import AttackTraits
from oodbench.metrics.score import Score
from oodbench.runs.attacked import all_splits, attack_columns, item_counts, stored_report
from oodbench.runs.records import Skipped, chunk_files, read_info, read_split
from oodbench.runs.results import RunResult, write_result
from oodbench.runs.scoring_code import with_scoring_code
from oodbench.runs.stored_protocol import stored_protocol
from oodbench.runs.summaries.collect import Collector
from oodbench.runs.summaries.store import write_summary
from oodbench.runs.summaries.summary import Summary


@dataclass(frozen=True)
class Scored:
    """What the records of a run say.

    Attributes:
        scores: by split and metric.
        n_read: by split, items that have a row.
        n_left_out: rows that an attack left out, which no score counts.
        attack_report: see `oodbench.runs.attacked.stored_report`.
        summary: what figures need beyond the scores.
    """

    scores: dict[str, dict[str, Score]]
    n_read: dict[str, int]
    n_left_out: int
    attack_report: dict[str, Any] | None
    summary: Summary


def score_records(
    benchmark: Benchmark,
    records: Path,
    counts: Mapping[str, int],
    traits: AttackTraits | None,
    *,
    key: str = "",
) -> Scored:
    """Score the first `counts[split]` items of every split; each chunk is read once.

    One split is in memory at a time, of an attacked run besides the columns of its report.

    Args:
        benchmark: makes the scores.
        records: the run's folder of records.
        counts: by split, how many items are scored.
        traits: of the run's attack, None where there is none.
        key: of the run; "": unknown.

    Raises:
        DataError: a chunk is missing, damaged or of another run, see `read_split`.
        AttackError: the attack left out all pictures.
    """
    n_read: dict[str, int] = {}
    n_kept: list[int] = []
    n_left_out: list[int] = []
    attacked: dict[str, pd.DataFrame] = {}
    collector = Collector(traits)

    def splits() -> Iterator[tuple[str, pd.DataFrame]]:
        for name, n_items in counts.items():
            frame = read_split(records, name, n_items, key=key)
            n_read[name] = frame["position"].nunique() if len(frame) else 0
            if len(frame):
                if traits is not None:
                    attacked[name] = attack_columns(frame)
                kept = attacked_only(frame)
                n_left_out.append(len(frame) - len(kept))
                n_kept.append(len(kept))
                if len(kept):
                    collector.add(kept)
                    yield name, kept
        if not sum(n_kept):
            _refuse_all_left_out(sum(n_left_out))

    stream = splits()
    scores = benchmark.score(stream)
    deque(stream, maxlen=0)  # of splits that the benchmark leaves out, the items count too
    report = stored_report(all_splits(attacked), traits)
    return Scored(scores, n_read, sum(n_left_out), report, collector.summary())


def _refuse_all_left_out(n_left_out: int) -> None:
    """Refuse a run of which nothing is left to score."""
    if n_left_out:
        raise AttackError(
            f"attack.target is the label of all {n_left_out} pictures, which are not attacked: set "
            "attack.target_is_label=next, or another attack.target"
        )


def skipped_items(records: Path, split: str) -> list[Skipped]:
    """Items of a split that could not be read."""
    infos = [read_info(path) for path in chunk_files(records, split)]
    return [item for info in infos if info is not None for item in info.skipped]


def rescore(result: RunResult, allowed: Collection[str] = ()) -> None:
    """Compute the scores of a finished run again, from its records alone, and write them.

    The summary is written again too. Derived scores that were kept beside them are forgotten.

    Args:
        result: read from disk.
        allowed: dotted names outside oodbench that it may import, see `stored_protocol`.

    Raises:
        DataError: its config names another one; its records are not whole, or not those that the
            result counts. The result stays as it is.
    """
    protocol = stored_protocol(result, allowed)
    benchmark: Benchmark = build(protocol, "benchmark.protocol")
    counts = item_counts(result)
    paths = result.paths
    traits = result.attack_traits
    scored = score_records(benchmark, paths.records, counts, traits, key=result.key)
    for name, n_read in scored.n_read.items():
        if n_read != (stated := int(result.splits[name]["n"])):
            of = f" of {name}" if name else ""
            raise DataError(
                f"{paths.result}: counts {stated} items{of}, its records hold {n_read}: run the "
                "same cell again"
            )
    again = replace(
        result,
        scores=scored.scores,
        attack_report=scored.attack_report,
        config=with_scoring_code(result.config, protocol),
    )
    write_summary(paths, again, scored.summary)
    write_result(paths.result, again)
    paths.derived.unlink(missing_ok=True)


def split_counts(
    records: Path,
    counts: Mapping[str, int],
    expected: Mapping[str, int],
    n_read: Mapping[str, int],
    not_counted: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    """By split: items covered, scored and expected, and those skipped.

    Args:
        records: the run's folder of records.
        counts: by split, items covered.
        expected: by split, the official number of items.
        n_read: by split, items that have a row.
        not_counted: splits whose official number nobody says.
    """
    found = {}
    for name, n_items in counts.items():
        # Files may reach further than n_items; their lists are in the order of the items.
        skipped = skipped_items(records, name)[: n_items - n_read[name]]
        found[name] = {
            "n_items": n_items,
            "n": n_items - len(skipped),
            "n_expected": expected[name],
            "skipped": [vars(item) for item in skipped],
            **({"is_count_known": False} if name in not_counted else {}),
        }
    return found


def status_of(splits: Mapping[str, Mapping[str, Any]], missing: Sequence[str]) -> str:
    """Complete where every official picture was scored, else partial."""
    whole = all(split["n"] == split["n_expected"] for split in splits.values())
    return "complete" if whole and not missing else "partial"
