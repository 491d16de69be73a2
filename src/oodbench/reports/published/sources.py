"""All that others measured, each value with the pipeline that it belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from oodbench.reference import read_table
from oodbench.reports.published.pipelines import (
    RESIZE256_CROP224,
    model_facts,
    published_pipeline,
    timm_pipeline,
)
from oodbench.reports.published.values import PUBLISHED, TESTBED, in_points, values_of

TIMM = "timm"
LITERATURE = "literature"

TIMM_TABLE = "timm_results.csv"
LITERATURE_TABLE = "literature_results.csv"


@dataclass(frozen=True)
class Reference:
    """A value of one source.

    Attributes:
        source: published, timm, imagenet-testbed or literature.
        value: percentage points.
        decimals: how many decimals of `value` are known; None: all.
        pipeline: see `oodbench.reports.published.pipelines`; None where the source's is not known.
        protocol: what else the source did differently from us; empty where nothing.
        origin: file or document.
    """

    source: str
    value: float
    decimals: int | None
    pipeline: str | None
    protocol: str
    origin: str


def references(model: str, benchmark: str, metric: str) -> list[Reference]:
    """What the sources have for one score of a model, by our names; the published run first."""
    return [
        *_published(model, benchmark, metric),
        *_tabulated(TIMM, TIMM_TABLE, model, benchmark, metric),
        *_testbed(model, benchmark, metric),
        *_tabulated(LITERATURE, LITERATURE_TABLE, model, benchmark, metric),
    ]


@cache
def is_measured(benchmark: str, metric: str) -> bool:
    """Whether a source has a value of this score for any model."""
    named = {names[1:] for source in (PUBLISHED, TESTBED) for names in values_of(source)}
    for table in (TIMM_TABLE, LITERATURE_TABLE):
        named |= {(row["benchmark"], row["metric"]) for row in read_table(table)}
    return (benchmark, metric) in named


def _published(model: str, benchmark: str, metric: str) -> Iterator[Reference]:
    found = values_of(PUBLISHED).get((model, benchmark, metric))
    if found is not None:
        yield Reference(
            PUBLISHED,
            in_points(found.value, metric),
            found.decimals_known,
            published_pipeline(model, benchmark),
            "",
            "eminorhan/ood-benchmarks",
        )


def _testbed(model: str, benchmark: str, metric: str) -> Iterator[Reference]:
    found = values_of(TESTBED).get((model, benchmark, metric))
    if found is not None:
        pipeline, protocol = _testbed_protocol(model, comparable=found.comparable)
        value = in_points(found.value, metric)
        origin = "modestyachts/imagenet-testbed:robustness_top1s.csv"
        yield Reference(TESTBED, value, found.decimals_known, pipeline, protocol, origin)


def _testbed_protocol(model: str, *, comparable: bool) -> tuple[str | None, str]:
    if not comparable:
        return None, "re-cropped files"
    if model_facts(model)["family"] == "default":
        return RESIZE256_CROP224, ""
    return None, "other port"


def _tabulated(
    source: str, table: str, model: str, benchmark: str, metric: str
) -> Iterator[Reference]:
    for row in read_table(table):
        if (row["model"], row["benchmark"], row["metric"]) == (model, benchmark, metric):
            yield Reference(
                source=source,
                value=float(row["value"]),
                decimals=len(row["value"].partition(".")[2]),
                pipeline=timm_pipeline(model) if source == TIMM else row["pipeline"] or None,
                protocol=row.get("protocol", ""),
                origin=row["source"],
            )
