"""What a config asks for, before anything is built."""

import os

import pytest
from configs import composed

from oodbench.runs.plan import decoders


def test_one_thread_decodes_for_each_core_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the composed config, in which nothing else is said."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5, 7, 9})
    assert decoders(composed().data) == 5
    assert decoders(composed("data.workers=3").data) == 3
