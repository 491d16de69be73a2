"""Runs on containers: keys and records are those of the folder, byte for byte."""

import json
import os
from pathlib import Path

import pytest
from calling import call
from container_files import (
    PACKERS,
    as_shards,
    as_zip,
    class_folders,
    dataset,
    index_of,
    pictures,
    tar_of,
)
from PIL import Image
from toys import Cli, write_pictures

from oodbench.cli.plan import main as plan
from oodbench.run import main
from oodbench.runs.records import read_split

DATA = os.environ.get("OODBENCH_TEST_DATA")
EAGER = ("model=toy", "engine=eager")


def runs(output: Path) -> dict[str, dict[str, bytes]]:
    """By benchmark, model and key, the Parquet files of the records."""
    return {
        result.parent.relative_to(output).as_posix(): {
            path.relative_to(result.parent).as_posix(): path.read_bytes()
            for path in sorted(result.parent.glob("records/**/*.parquet"))
        }
        for result in sorted(output.glob("runs/*/*/*/result.json"))
    }


def scores(output: Path) -> list[object]:
    found = sorted(output.glob("runs/*/*/*/result.json"))
    return [json.loads(path.read_text())["scores"] for path in found]


@pytest.mark.slow
def test_records_and_keys_are_those_of_the_folder(toy: Path, cli: Cli) -> None:
    assert cli(*EAGER, "output_root=folder").returncode == 0
    expected = runs(toy / "folder")
    assert sum(map(len, expected.values())) == 1
    for kind in ("deflated zip", "tar", "shards with json", "parquet"):
        packed = PACKERS[kind](toy / "data" / "imagenet" / "val", toy / "packed" / kind)
        done = cli(*EAGER, f"output_root='{kind}'", f"benchmark.root='{packed}'")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "note: the container" not in done.stdout
        assert runs(toy / kind) == expected, kind
        assert scores(toy / kind) == scores(toy / "folder")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="OODBENCH_TEST_DATA does not name the folder of real pictures")
def test_the_same_on_real_pictures_with_a_real_network(tmp_path: Path) -> None:
    """16 pictures of the 500, which are all listed."""
    folder = Path(str(DATA)) / "imagenet" / "val"
    options = ["model=efficientnet_lite0", "data.allow_partial=true", "limit=16"]
    options += ["engine=eager", "engine.batch_size=8"]
    kinds = ("zip", "shards", "arrow", "list")
    roots = {kind: PACKERS[kind](folder, tmp_path / "packed" / kind) for kind in kinds}
    for name, root in {"folder": folder, **roots}.items():
        line = [*options, f"benchmark.root={root}", f"output_root={name}"]
        done = call(main, line, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    expected = runs(tmp_path / "folder")
    assert sum(map(len, expected.values())) == 1
    for kind in kinds:
        assert runs(tmp_path / kind) == expected, kind


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "first"),
    [
        ("data.cache=disk", ["limit=20"]),
        ("data.loader=processes", ["shard.index=1", "shard.count=2"]),
        ("data.verify=contents", ["budget=50%"]),
    ],
)
def test_caches_loaders_limits_and_shards(how: str, first: list[str], toy: Path, cli: Cli) -> None:
    folder = toy / "data" / "imagenet" / "val"
    packed = as_shards(folder, toy / "packed")
    common = (*EAGER, "data.workers=2", "benchmark.chunk_size=16", how)
    for output, root in (("one", folder), ("two", packed)):
        chosen = (*common, f"output_root={output}", f"benchmark.root={root}")
        assert cli(*chosen, *first).returncode == 0
        assert cli(*chosen).returncode == 0
    assert len(next(iter(runs(toy / "one").values()))) > 1
    assert runs(toy / "two") == runs(toy / "one")


@pytest.mark.slow
def test_a_damaged_picture_stops_the_run_or_is_left_out_by_name(toy: Path, cli: Cli) -> None:
    folder = toy / "data" / "imagenet" / "val"
    packed = as_zip(folder, toy / "packed")
    content = bytearray(packed.read_bytes())
    content[300] ^= 255  # in the first picture
    packed.write_bytes(content)
    root = f"benchmark.root={packed}"
    stopped = cli(*EAGER, root)
    name = pictures(folder)[0].relative_to(folder)
    assert stopped.returncode == 1
    assert stopped.stderr.count(f"val.zip: {name}: damaged, its checksum") == 1
    assert cli(*EAGER, root, "data.on_error=skip", "data.max_skipped=0.02").returncode == 0


@pytest.mark.slow
def test_pictures_that_change_in_a_container_give_another_key(toy: Path, cli: Cli) -> None:
    folder = toy / "data" / "imagenet" / "val"
    packed = as_zip(folder, toy / "packed")
    root = f"benchmark.root={packed}"
    assert cli(*EAGER, root).returncode == 0
    os.utime(packed, ns=(1, 1))
    assert cli(*EAGER, root).returncode == 0
    assert len(runs(toy / "outputs")) == 1
    picture = pictures(folder)[0]
    content = bytearray(picture.read_bytes())
    content[-3] ^= 1
    picture.write_bytes(content)
    as_zip(folder, toy / "packed")
    changed = cli(*EAGER, root)
    assert "1 of 60 pictures hold something else" in changed.stdout + changed.stderr
    assert len(runs(toy / "outputs")) == 2


@pytest.mark.slow
def test_pictures_without_names_are_named_by_what_they_hold(toy: Path, cli: Cli) -> None:
    folder = toy / "data" / "imagenet" / "val"
    made = dataset(pictures(folder), class_folders(folder))
    nameless = [{"bytes": path.read_bytes(), "path": None} for path in pictures(folder)]
    features = made.features
    import datasets

    for number, order in enumerate([range(60), range(59, -1, -1)]):
        rows = {"image": [nameless[k] for k in order], "label": [made["label"][k] for k in order]}
        data = datasets.Dataset.from_dict(rows, features=features)
        data.save_to_disk(str(toy / f"packed{number}"))
        done = cli(*EAGER, f"benchmark.root={toy / f'packed{number}'}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the container names no pictures" in done.stdout
    (folder_of_run,) = runs(toy / "outputs")
    records = read_split(toy / "outputs" / folder_of_run / "records", "")
    assert sorted(records["label"]) == sorted(
        index_of(path.parent.name) for path in pictures(folder)
    )


@pytest.mark.slow
def test_trees_of_corruptions_in_their_archives(toy: Path, cli: Cli) -> None:
    """As they are downloaded: one tar file for each kind of corruption."""
    root = toy / "data" / "imagenet-c"
    for tree in ("gaussian_noise/1", "gaussian_noise/2", "fog/3"):
        write_pictures(root / tree, per_class=2)
    for name, trees in (("noise", ["gaussian_noise"]), ("weather", ["fog"])):
        names = [p for tree in trees for p in pictures(root / tree)]
        members = [(path.relative_to(root).as_posix(), path.read_bytes()) for path in names]
        tar_of(toy / "packed" / f"{name}.tar", members)
    common = (*EAGER, "benchmark=imagenet_c")
    assert cli(*common, "output_root=one").returncode == 0
    done = cli(*common, "output_root=two", f"benchmark.root={toy / 'packed'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(next(iter(runs(toy / "one").values()))) == 3
    assert runs(toy / "two") == runs(toy / "one")


@pytest.mark.slow
def test_cue_conflict_stimuli_in_a_zip_file(toy: Path, cli: Cli) -> None:
    root = toy / "data" / "cue-conflict"
    for shape, texture in (("cat", "dog"), ("dog", "car"), ("car", "cat")):
        (root / shape).mkdir(parents=True)
        Image.new("RGB", (40, 40), (9, 99, 199)).save(root / shape / f"{shape}1-{texture}2.png")
    common = (*EAGER, "benchmark=cue_conflict")
    assert cli(*common, "output_root=one").returncode == 0
    packed = as_zip(root, toy / "packed")
    done = cli(*common, "output_root=two", f"benchmark.root={packed}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert runs(toy / "two") == runs(toy / "one")


@pytest.mark.slow
def test_the_forecast_reads_containers(toy: Path, cli: Cli) -> None:
    packed = as_zip(toy / "data" / "imagenet" / "val", toy / "packed")
    line = [
        "--config-dir",
        "my_conf",
        *EAGER,
        "data.allow_partial=true",
        f"benchmark.root={packed}",
    ]
    done = call(plan, line, folder=toy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60" in done.stdout
