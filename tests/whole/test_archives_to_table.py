"""README's way from archives to a table, on archives of the demo pictures."""

import shlex
from importlib import import_module
from pathlib import Path

import pytest
from calling import call
from documents import ROOT, blocks
from official_archives import publish, write_tar

from oodbench.data.demo.sources import SOURCES, Source, sources_folder
from oodbench.reference import class_lists, validation_labels

COMMANDS = {
    "oodbench": "oodbench.run",
    "oodbench-data": "oodbench.cli.data",
    "oodbench-table": "oodbench.cli.table",
}


def content_of(source: Source) -> bytes:
    return (sources_folder() / source.file_name).read_bytes()


def write_archives(folder: Path) -> dict[str, Path]:
    """ImageNet's flat tar, the pictures under numbers of their classes, and ImageNet-A."""
    numbers: dict[int, list[int]] = {}
    for number, label in enumerate(validation_labels(), start=1):
        numbers.setdefault(label, []).append(number)
    val = {
        f"ILSVRC2012_val_{numbers[source.label].pop(0):08d}.JPEG": content_of(source)
        for source in SOURCES
    }
    natural = {
        f"imagenet-a/{source.wnid}/{source.number}.jpg": content_of(source)
        for source in SOURCES
        if source.wnid in class_lists()["imagenet_a"]
    }
    return {
        "imagenet_val": write_tar(folder / "ILSVRC2012_img_val.tar", val),
        "imagenet_a": write_tar(folder / "imagenet-a.tar", natural),
    }


@pytest.mark.slow
def test_readme_s_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand there, with other folders, one model, and leave to measure a part."""
    (tmp_path / "downloads").mkdir()
    for data_set, archive in write_archives(tmp_path / "downloads").items():
        publish(monkeypatch, data_set, [archive])
    (block,) = [block for block in blocks(ROOT / "README.md") if "prepare" in block.text]
    assert [words[0] for words in block.commands] == [
        *("oodbench-data", "oodbench-data", "oodbench", "oodbench-table")
    ]
    for words in block.commands:
        line = shlex.join(words).replace("/downloads", "downloads").replace("/data", "data")
        line = line.replace("efficientnet_lite0,resnet50", "efficientnet_lite0")
        program, *arguments = shlex.split(line)
        if program == "oodbench":
            arguments.append("data.allow_partial=true")
        done = call(import_module(COMMANDS[program]).main, arguments, folder=tmp_path)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    # 17 of 20 right, as on the demo data, whose pictures these are.
    assert "85.0 [64.0, 94.8]" in done.stdout
