"""`oodbench-data prepare` and `download` as one types them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from archive_server import archive_server
from official_archives import PASSWORD, imagenet_a, imagenet_val, objectnet, publish

from oodbench.cli import data as cli
from oodbench.data.archives.arrangements.table import ARRANGEMENTS
from oodbench.data.sets.facts import data_sets


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OODBENCH_DATA_ROOT", raising=False)


@pytest.mark.parametrize("name", ["imagenet", "imagenet_val", "adversarial"])
def test_a_benchmark_or_a_data_set(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "imagenet_val", imagenet_val(tmp_path))
    assert cli.main(["prepare", name, "--from", ".", "--to", "my data"]) == 0
    said = capsys.readouterr().out.splitlines()
    benchmark = name if name != "imagenet_val" else "imagenet"
    assert said[-1] == (f"next: oodbench model=resnet50 benchmark={benchmark} data.root='my data'")
    assert len(list((tmp_path / "my data" / "imagenet" / "val").rglob("*.JPEG"))) == 30


def test_the_default_root_is_that_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imagenet_a(tmp_path)
    line = ["prepare", "imagenet_a", "--from", "imagenet-a.tar", "--no-verify"]
    assert cli.main(line) == 0
    assert (tmp_path / "data" / "imagenet-a").is_dir()
    monkeypatch.setenv("OODBENCH_DATA_ROOT", "elsewhere")
    assert cli.main(line) == 0
    assert (tmp_path / "elsewhere" / "imagenet-a").is_dir()


def test_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prepare", "imagenette", "--from", "."]) == 1
    assert "error: imagenette: no such benchmark or data set; available: adversarial, " in (
        capsys.readouterr().err
    )


def test_sums_are_compared_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imagenet_a(tmp_path)
    assert cli.main(["prepare", "imagenet_a", "--from", "."]) == 1
    assert "bytes, the published imagenet-a.tar has 687552512: cut off" in capsys.readouterr().err


def test_password_by_a_file_descriptor(tmp_path: Path) -> None:
    objectnet(tmp_path)
    reading, writing = os.pipe()
    os.write(writing, PASSWORD + b"\n")
    os.close(writing)
    line = ["prepare", "objectnet", "--from", ".", "--no-verify", "--password-fd", str(reading)]
    assert cli.main(line) == 0
    os.close(reading)
    assert len(list((tmp_path / "data" / "objectnet").rglob("*.png"))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "error: objectnet: the archive is encrypted: give --password-fd N"),
        (["--password-fd", "987"], "error: --password-fd 987: Bad file descriptor"),
    ],
)
def test_password_that_cannot_be_read(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objectnet(tmp_path)
    assert cli.main(["prepare", "objectnet", "--from", ".", "--no-verify", *options]) == 1
    assert message in capsys.readouterr().err


def test_decryption_that_would_take_days_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    objectnet(tmp_path)
    monkeypatch.setattr("oodbench.data.archives.zip.find_spec", lambda name: None)
    monkeypatch.setattr("oodbench.data.archives.zip._SLOW", 10)
    assert cli.main(["prepare", "objectnet", "--from", ".", "--no-verify"]) == 1
    said = capsys.readouterr().err
    assert "Python's own decryption would take days; in the clone of oodbench: pip install" in said
    assert "'.[objectnet]'" in said


@pytest.mark.parametrize(
    ("name", "how"), [("imagenet", "image-net.org"), ("objectnet", "objectnet.dev")]
)
def test_what_needs_an_account_is_declined(
    name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", name]) == 1
    said = capsys.readouterr().err
    assert "is not downloaded for you: " in said
    assert how in said
    assert f"then: oodbench-data prepare {name} --from data/archives/" in said


def test_download_and_the_command_that_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (path,) = imagenet_a(tmp_path / "there")
    publish(monkeypatch, "imagenet_a", [path])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with archive_server() as server:
        server.files["/imagenet-a.tar"] = path.read_bytes()
        (archive,) = data_sets()["imagenet_a"].archives
        monkeypatch.setattr(archive, "url", f"{server.url}/imagenet-a.tar")
        assert cli.main(["download", "imagenet_a"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "imagenet-a.tar: fetched, sha256 as published",
        "next: oodbench-data prepare imagenet_a --from data/archives",
    ]
    assert cli.main(said[-1].split()[2:]) == 0
    assert (tmp_path / "data" / "imagenet-a" / "n01498041").is_dir()


def test_optional_archives_are_fetched_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[list[str]] = []
    monkeypatch.setattr(
        "oodbench.cli.data_download.fetch_archives",
        lambda archives, folder: fetched.append([archive.file for archive in archives]),
    )
    assert cli.main(["download", "imagenet_c"]) == 0
    assert cli.main(["download", "imagenet_c", "--optional"]) == 0
    assert set(fetched[1]) - set(fetched[0]) == {"extra.tar"}


def test_every_arrangement_that_a_data_set_names_is_there() -> None:
    named = {found.arrange for found in data_sets().values()} - {None}
    assert named == set(ARRANGEMENTS)


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    imagenet_a(tmp_path)
    code = (
        "import os, signal, oodbench.data.archives.placing as placing; write = placing.write_file\n"
        "def interrupted(path, content):\n"
        "    write(path, content); os.kill(os.getpid(), signal.SIGINT)\n"
        "placing.write_file = interrupted\n"
        "from oodbench.cli.data import main\n"
        "raise SystemExit(main(['prepare', 'imagenet_a', '--from', '.', '--no-verify']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "interrupted: the same command goes on where it stopped\n"
    assert cli.main(["prepare", "imagenet_a", "--from", ".", "--no-verify"]) == 0
