"""Where each number comes from: a card a run, compact, as the page's script shows it."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import yaml

from oodbench.metrics.score import Score, format_score
from oodbench.reports.page.command_line import command_line
from oodbench.reports.page.sessions import Cost
from oodbench.reports.page.texts import Texts
from oodbench.reports.tables.long import status
from oodbench.reports.tables.rows import pipeline_of
from oodbench.runs.naming.difference import difference_text
from oodbench.runs.results import RunResult

PAIRS, LINES, CODE = "pairs", "lines", "code"
"""Kinds of blocks: texts in pairs of a name and what it is; lines; parts of one piece of code."""


class Block(NamedTuple):
    """A part of a card: one of the kinds above, its heading, its texts."""

    kind: str
    heading: str
    texts: Sequence[str]


def cards(
    runs: Sequence[tuple[RunResult, dict[str, Score], Cost]],
) -> dict[str, Any]:
    """The cards of runs as JSON, every text held once.

    Args:
        runs: each with its scores of the whole benchmark, derived ones too, and what it took.

    Returns:
        `texts`: all texts; `kinds`: of blocks; `cards`: for each run its title's number, then
        `[kind, heading, texts]` for each block, all by numbers.
    """
    texts = Texts()
    kinds = [PAIRS, LINES, CODE]
    found = [
        [
            texts.number(f"{run.model} × {run.benchmark}"),
            *(
                [
                    kinds.index(block.kind),
                    texts.number(block.heading),
                    [texts.number(text) for text in block.texts],
                ]
                for block in blocks(run, scores, cost)
            ),
        ]
        for run, scores, cost in runs
    ]
    return {"kinds": kinds, "texts": texts.all, "cards": found}


def blocks(run: RunResult, scores: dict[str, Score], cost: Cost) -> Iterator[Block]:
    """What the card of a run says, in order; blocks without text are not there."""
    everything = [
        Block(PAIRS, "Scores", _flat((name, format_score(one)) for name, one in scores.items())),
        Block(LINES, "Notes", list(_notes(run))),
        Block(PAIRS, "Run", _flat(_run(run))),
        Block(PAIRS, "Checks of the attack", _flat(_checks(run))),
        Block(CODE, "Command", [command_line(run)]),
        Block(PAIRS, "Computed", _flat(_computed(cost))),
        Block(CODE, "Config", [_yaml(name, node) for name, node in run.config.items()]),
    ]
    yield from (block for block in everything if block.texts)


def _flat(pairs: Iterator[tuple[str, str]]) -> list[str]:
    return [text for pair in pairs if pair[1] for text in pair]


def _run(run: RunResult) -> Iterator[tuple[str, str]]:
    pipeline = ", ".join(f"{name} {value}" for name, value in pipeline_of(run).items() if value)
    yield "Key", run.key
    yield "Folder", str(run.directory)
    yield "Otherwise than published", difference_text(run.difference)
    yield "Preprocessing", f"{run.preprocessing}: {pipeline}" if pipeline else run.preprocessing
    yield "Attack", "" if run.attack == "none" else run.attack
    yield "Pictures", f"{run.n_images} of {run.n_expected}, {status(run)}"
    yield "Weights", run.weights or "not known"
    yield "Data", run.dataset_fingerprint
    yield "Precision", run.precision


def _notes(run: RunResult) -> Iterator[str]:
    yield from run.notes
    if run.trained_on:
        yield f"Trained on {run.trained_on}, too."
    if run.extension:
        yield "An extension: the published run did not support this model here."
    if not run.is_count_known:
        yield "No source says how many pictures there are."
    if run.missing_splits:
        yield f"Splits missing: {', '.join(run.missing_splits)}."
    if run.skipped:
        yield f"{len(run.skipped)} pictures could not be read and are left out."


def _checks(run: RunResult) -> Iterator[tuple[str, str]]:
    for check in (run.attack_report or {}).get("checks", ()):
        said = f"{check.get('verdict', '')}. {check.get('detail', '')} [{check.get('paper', '')}]"
        yield str(check.get("name", "")), said


def _computed(cost: Cost) -> Iterator[tuple[str, str]]:
    yield "Finished", cost.finished.replace("T", " ")
    yield "Engine", cost.engine
    yield "Device", cost.device
    yield "Host", cost.host
    yield "Versions", cost.versions


def _yaml(name: str, node: Any) -> str:
    return _dumped(json.dumps({name: node}))


@cache
def _dumped(content: str) -> str:
    """JSON as YAML; runs share most parts of their configs, and YAML is slow."""
    return yaml.safe_dump(json.loads(content), sort_keys=False, allow_unicode=True, width=100)
