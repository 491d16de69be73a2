"""Adversarial pictures on disk: what rounding costs, and what damage does."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodbench.attacks.base import AttackResult
from oodbench.attacks.transfer_store import StoredPicture, TransferStore, restored, storable


def clean_and_changed(seed: int, eps: float, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randint(0, 256, (count, 3, 5, 4), generator=generator).float() / 255
    change = (2 * torch.rand(clean.shape, generator=generator) - 1) * eps
    return clean, (clean + change).clamp(0, 1)


def result(images: torch.Tensor) -> AttackResult:
    count = len(images)
    columns = {"loss": torch.arange(count) / 7, "curve": torch.ones(count, 3)}
    succeeded = torch.arange(count) % 2 == 0
    return AttackResult(images, succeeded, torch.arange(count) + 5, columns)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), eps=st.floats(0, 1))
def test_a_stored_change_never_grows_and_loses_less_than_a_1024th(seed: int, eps: float) -> None:
    clean, changed = clean_and_changed(seed, eps)
    wanted = changed - clean
    (found,) = [np.stack([picture.change for picture in storable(clean, result(changed))])]
    stored = torch.from_numpy(found.astype(np.float32))
    assert (stored.abs() <= wanted.abs()).all()
    assert (stored * wanted >= 0).all()
    # 2^-24 is the smallest float16: below 2^-14 the spacing no longer shrinks with the number.
    assert ((wanted - stored).abs() < wanted.abs() / 1024 + 2**-24).all()
    images = restored(clean, storable(clean, result(changed))).images
    assert images.min() >= 0
    assert images.max() <= 1
    assert ((images - clean).abs() <= wanted.abs() + 1e-7).all()


def test_no_change_is_no_change() -> None:
    clean, _ = clean_and_changed(0, 0.1)
    assert torch.equal(restored(clean, storable(clean, result(clean))).images, clean)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = TransferStore(tmp_path / "store")
    clean, changed = clean_and_changed(1, 0.03)
    assert store.read(clean[0], 3, 7) is None
    pictures = storable(clean, result(changed))
    for row, picture in enumerate(pictures):
        store.write(clean[row], 3, 7, picture)
    found = [store.read(image, 3, 7) for image in clean]
    back = restored(clean, [picture for picture in found if picture is not None])
    assert torch.equal(back.images, restored(clean, pictures).images)
    assert back.succeeded.tolist() == [True, False]
    assert back.iterations.tolist() == [5, 6]
    assert torch.equal(back.columns["loss"], torch.arange(2) / 7)
    assert back.columns["curve"].shape == (2, 3)


def test_another_picture_label_or_seed_is_another_file(tmp_path: Path) -> None:
    store = TransferStore(tmp_path)
    clean, changed = clean_and_changed(1, 0.03)
    store.write(clean[0], 3, 7, storable(clean, result(changed))[0])
    assert store.read(clean[0], 3, 7) is not None
    assert store.read(clean[0], 4, 7) is None
    assert store.read(clean[0], 3, 8) is None
    assert store.read(clean[1], 3, 7) is None
    assert store.read(clean[0].flip(0), 3, 7) is None


@pytest.mark.parametrize("position", range(0, 1000, 90))
def test_a_damaged_file_is_missing(tmp_path: Path, position: int) -> None:
    store = TransferStore(tmp_path)
    clean, changed = clean_and_changed(1, 0.03)
    picture = storable(clean, result(changed))[0]
    store.write(clean[0], 3, 7, picture)
    (path,) = tmp_path.rglob("*.npz")
    content = path.read_bytes()
    position %= len(content)
    path.write_bytes(content[:position])
    assert store.read(clean[0], 3, 7) is None
    flipped = bytes([content[position] ^ 0xFF])
    path.write_bytes(content[:position] + flipped + content[position + 1 :])
    found = store.read(clean[0], 3, 7)
    # A flipped byte of the archive's own bookkeeping may change nothing that is read.
    assert found is None or np.array_equal(found.change, picture.change)
    store.write(clean[0], 3, 7, picture)
    assert store.read(clean[0], 3, 7) is not None


def test_pickles_and_other_shapes_are_missing(tmp_path: Path) -> None:
    store = TransferStore(tmp_path)
    clean, changed = clean_and_changed(1, 0.03)
    picture = storable(clean, result(changed))[0]
    store.write(clean[0], 3, 7, picture)
    (path,) = tmp_path.rglob("*.npz")
    scalars = {"succeeded": np.asarray(True), "iterations": np.asarray(1)}
    np.savez(path, change=np.array([object()], dtype=object), **scalars)
    assert store.read(clean[0], 3, 7) is None
    np.savez(path, change=np.zeros((3, 2, 2), np.float16), **scalars)
    assert store.read(clean[0], 3, 7) is None
    np.savez(path, change=picture.change)
    assert store.read(clean[0], 3, 7) is None


def _fill(directory: Path, start: int) -> None:
    store = TransferStore(directory)
    clean, changed = clean_and_changed(5, 0.1, count=40)
    order = [*range(start, 40), *range(start)]
    for row, picture in enumerate(storable(clean, result(changed))):
        place = order[row]
        store.write(clean[place], 1, place, StoredPicture(picture.change, True, 1, {}))
        store.read(clean[place], 1, place)


@pytest.mark.slow
def test_two_processes_fill_one_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(tmp_path, start)) for start in (0, 20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    store = TransferStore(tmp_path)
    clean, _ = clean_and_changed(5, 0.1, count=40)
    assert all(store.read(image, 1, row) is not None for row, image in enumerate(clean))
    assert len(list(tmp_path.rglob("*.npz"))) == 40
    assert not list(tmp_path.rglob("*.part"))


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """And neither what another process is writing now, nor what is not the store's."""
    folder = tmp_path / "ab"
    folder.mkdir()
    old, new = folder / ".ab12.npz.x_1z.part", folder / ".ab34.npz.y.part"
    others = (folder / "mine.part", folder / ".ab12.npz", tmp_path / ".ab12.npz.x.part")
    for path in (old, new, *others):
        path.touch()
        if path != new:
            os.utime(path, (1_000_000_000, 1_000_000_000))
    store = TransferStore(tmp_path)
    clean, changed = clean_and_changed(0, 0.1)
    (picture, _) = storable(clean, result(changed))
    assert store.read(clean[0], 1, 2) is None
    assert old.exists()
    store.write(clean[0], 1, 2, picture)
    assert store.read(clean[0], 1, 2) is not None
    assert not old.exists()
    assert all(path.exists() for path in (new, *others))
