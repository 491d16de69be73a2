"""What a config asks for, before anything is built."""

import os
from pathlib import Path

import pytest
from configs import composed
from in_process import go_there, planned

from oodbench.core.errors import ConfigError
from oodbench.runs.plan import decoders


def test_one_thread_decodes_for_each_core_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the composed config, in which nothing else is said."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5, 7, 9})
    assert decoders(composed().data) == 5
    assert decoders(composed("data.workers=3").data) == 3


@pytest.mark.parametrize("index", [0, 1])
def test_shards_of_unknown_weights_are_refused(
    toy: Path, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    go_there(toy, monkeypatch)
    shard = ("shard.count=2", f"shard.index={index}")
    with pytest.raises(ConfigError) as caught:
        planned("model.weights.identity=null", *shard)
    message = str(caught.value)
    assert message.startswith("shard.count=2: the weights of model toy are unknown")
    assert message.endswith("set model.weights.identity=NAME")
    assert planned(*shard).key == planned().key
    assert planned("model.weights.identity=null", "shard.count=1").weights.identity is None
