"""Cards are shared out evenly, and free again when a process ends."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from oodbench.engines import cards, settings
from oodbench.engines.cards import take_card

NAMES = ["GPU-a", "GPU-b", "GPU-c"]


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[IO[bytes]]]:
    """Locks of this test alone, which end with it."""
    found: list[IO[bytes]] = []
    monkeypatch.setattr(cards, "_held", found)
    yield found
    for lock in found:
        lock.close()


def test_each_process_takes_another_one(tmp_path: Path, held: list[IO[bytes]]) -> None:
    assert [take_card(NAMES, tmp_path) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    held.pop(1).close()  # the process with the second card ends
    assert take_card(NAMES, tmp_path) == 1


def test_a_process_that_is_killed_frees_its_card(tmp_path: Path) -> None:
    text = (
        "import sys; from pathlib import Path; from oodbench.engines.cards import take_card\n"
        "print(take_card(['GPU-a', 'GPU-b'], Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert take_card(NAMES[:2], tmp_path) == 1
        process.kill()
        process.wait()
    assert take_card(NAMES[:2], tmp_path) == 0


@pytest.mark.parametrize(("count", "device"), [(1, "cuda"), (4, "cuda:3")])
def test_auto_is_the_own_card_where_there_are_several(
    monkeypatch: pytest.MonkeyPatch, count: int, device: str
) -> None:
    monkeypatch.setattr(settings, "_nvidia_device_present", lambda: True)
    monkeypatch.setattr(settings, "own_card", lambda: 3)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert settings.resolve_device("auto") == device
