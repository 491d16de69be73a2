"""`oodbench-data check` and `list` as commands."""

import json
from pathlib import Path

import pytest
from validation_trees import REPAIR, N, picture, write_tree

from oodbench.benchmarks.inspection.configs import shipped_config
from oodbench.cli.data import main
from oodbench.data.manifest import DEMO_MARK
from oodbench.reference import class_lists


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The first pictures of the validation set, sorted well."""
    write_tree(tmp_path / "imagenet" / "val")
    return tmp_path


def test_the_command_says_all_of_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(root)]) == 1
    val = root / "imagenet" / "val"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        f"imagenet: 3 problems, {N} of 50,000 files, {val}",
        f"  {val}: {N} files instead of 50,000: {REPAIR} {root}",
    ]
    assert main(["check", "imagenet_a", "--data-root", str(root), "--json", "-"]) == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["benchmark"], one["there"], one["good"]) == ("imagenet_a", False, False)
    with pytest.raises(SystemExit) as ended:
        main(["check", "--no-such-option"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["check", "nothing", "--data-root", str(root)])
    assert ended.value.code == 2
    assert "nothing: no such benchmark" in capsys.readouterr().err


def test_a_good_tree_has_exit_code_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from oodbench.cli import data_check

    for wnid in class_lists()["imagenet_a"]:
        picture(tmp_path / "imagenet-a" / wnid / "a.jpg")
    config = shipped_config("imagenet_a", tmp_path)
    config.protocol["n_expected"] = 200
    monkeypatch.setattr(data_check, "shipped_config", lambda *_: config)
    assert main(["check", "imagenet_a", "--data-root", str(tmp_path), "--deep"]) == 0
    place = tmp_path / "imagenet-a"
    said = capsys.readouterr().out
    assert said == f"imagenet_a: good, 200 of 200 files, {place}, all decoded\n"


def test_the_list_says_what_is_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--data-root", str(root)]) == 0
    lines = capsys.readouterr().out.partition("Their data sets")[0].splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["imagenet"][1:4] == ["50,000", f"{N}", "files"]
    assert rows["imagenet_a"][1:4] == ["7,500", "not", "there"]
    assert main(["list", "--data-root", str(root), "--json", "-"]) == 0
    (one,) = [
        row for row in json.loads(capsys.readouterr().out) if row["benchmark"] == "imagenet_a"
    ]
    assert one["data_set"]["licence"] == "MIT"
    assert one["state"] == "not there"
    (root / DEMO_MARK).touch()
    assert main(["list", "--data-root", str(root)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines()[1:])) <= 100
    assert "demo data" in said
    assert "ImageNet-A: 7,500 natural pictures" in said
