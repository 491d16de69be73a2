"""What else reads class folders reads containers as well: generation, the linear probe."""

from pathlib import Path

import pytest
from calling import call
from container_files import as_shards, as_zip, pictures
from toys import Cli

from oodbench.cli.data import main as data
from oodbench.data.containers.opened import forget
from oodbench.probe.listing import find_pictures
from oodbench.probe.schema import ProbeDataConfig


@pytest.mark.slow
def test_corruptions_of_pictures_in_a_container(toy: Path) -> None:
    folder = toy / "data" / "imagenet" / "val"
    (folder / "DEMO.txt").write_text("demo")
    for name, source in (("one", folder), ("two", as_zip(folder, toy / "packed"))):
        line = ["corrupt", "--source", str(source), "--out", name, "--workers", "1"]
        line += ["--corruptions", "brightness", "--severities", "1"]
        done = call(lambda: data(line), line, folder=toy)  # noqa: B023
        assert done.returncode == 0, done.stdout + done.stderr
    sums = "brightness/1/SHA256SUMS"
    assert (toy / "two" / sums).read_bytes() == (toy / "one" / sums).read_bytes()
    assert (toy / "two" / "DEMO.txt").read_text() == "demo"


@pytest.mark.slow
def test_a_generated_benchmark_on_shards(toy: Path, cli: Cli) -> None:
    folder = toy / "data" / "imagenet" / "val"
    packed = as_shards(folder, toy / "packed")
    common = ["model=toy", "engine=eager", "benchmark=imagenet_c_generated", "limit=5"]
    common += ["+benchmark.protocol.corruptions=[brightness]", "data.loader=processes"]
    for output, root in (("one", folder), ("two", packed)):
        done = cli(*common, f"output_root={output}", f"benchmark.root={root}")
        assert done.returncode == 0, done.stdout + done.stderr
    records = [sorted((toy / output).rglob("*.parquet")) for output in ("one", "two")]
    assert len(records[0]) == 5
    for one, two in zip(*records, strict=True):
        assert one.relative_to(toy / "one") == two.relative_to(toy / "two")
        assert one.read_bytes() == two.read_bytes()


def test_the_pictures_of_a_probe(toy: Path) -> None:
    folder = toy / "data" / "imagenet" / "val"
    forget()

    def found(root: Path) -> tuple[list[str], str, list[str]]:
        config = ProbeDataConfig(train_root=str(root), val_root=str(root), classes="folders")
        classes, train, _ = find_pictures(config)
        paths = train.pictures(classes)
        return classes, train.summary.fingerprint, [str(p) for p in paths.paths]

    assert found(as_zip(folder, toy / "packed")) == found(folder)
    assert len(pictures(folder)) == 60
