import hashlib
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from source_pictures import write_source

from oodbench.cli import data as cli
from oodbench.core.files import read_json

needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="OpenCV is not installed")

QUICK = ["--corruptions", "gaussian_noise", "contrast", "--severities", "5", "1", "--workers", "1"]


def picture(seed: int, size: tuple[int, int] = (300, 260)) -> Image.Image:
    blocks = np.random.RandomState(seed).randint(0, 256, (8, 10, 3)).astype(np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two classes; a big picture, a small one, CMYK, grey, and one with alpha."""
    return write_source(tmp_path / "val", picture)


def run(source: Path, out: Path, *options: str) -> int:
    return cli.main(["corrupt", "--source", str(source), "--out", str(out), *options])


def files(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.JPEG"))
    }


@needs_opencv
def test_layout_format_and_manifest(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, *QUICK) == 0
    made = files(out)
    assert len(made) == 5 * 4
    for name in ("n01440764/a", "n01440764/small", "n01443537/cmyk", "n01443537/alpha"):
        with Image.open(out / "contrast" / "5" / f"{name}.JPEG") as opened:
            assert (opened.format, opened.mode, opened.size) == ("JPEG", "RGB", (224, 224))
            table = opened.quantization[0]
    plain = tmp_path / "plain.jpg"
    picture(0).save(plain, quality=85)
    with Image.open(plain) as opened:
        assert table == opened.quantization[0]
    manifest = read_json(out / "manifest.json")
    assert manifest["seed"] == 0
    assert list(manifest["complete"]) == [
        *("contrast/1", "contrast/5", "gaussian_noise/1", "gaussian_noise/5"),
    ]
    assert manifest["source"]["n_files"] == 5
    assert set(manifest["versions"][0]) == {"oodbench", "numpy", "opencv", "pillow"}


@needs_opencv
def test_what_is_made_of_demo_pictures_is_demo_data(source: Path, tmp_path: Path) -> None:
    assert run(source, tmp_path / "real", *QUICK) == 0
    assert not (tmp_path / "real" / "DEMO.txt").exists()
    (source / "DEMO.txt").write_text("only a demo\n")
    assert run(source, tmp_path / "demo", *QUICK) == 0
    assert (tmp_path / "demo" / "DEMO.txt").read_text() == "only a demo\n"
    assert run(source, tmp_path / "real", *QUICK) == 0  # goes on, from what is now demo data
    assert (tmp_path / "real" / "DEMO.txt").exists()


@needs_opencv
def test_a_file_is_the_corrupted_resized_and_cropped_picture(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, *QUICK) == 0
    clean = Image.open(source / "n01440764" / "a.JPEG")
    clean = clean.resize((int(256 * 300 / 260), 256), Image.Resampling.BILINEAR)
    left = round((clean.width - 224) / 2)
    pixels = np.array(clean.crop((left, 16, left + 224, 240)), float)
    expected = 0.05 * pixels + 0.95 * pixels.mean(axis=(0, 1))
    made = np.array(Image.open(out / "contrast" / "5" / "n01440764" / "a.JPEG"), float)
    assert np.abs(made - expected).mean() < 1.5


@needs_opencv
def test_grey_pictures_stay_grey(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, *QUICK) == 0
    made = np.array(Image.open(out / "contrast" / "1" / "n01443537" / "grey.JPEG"), int)
    assert np.ptp(made, axis=-1).max() <= 2


@needs_opencv
def test_bytes_do_not_depend_on_the_number_of_workers(source: Path, tmp_path: Path) -> None:
    names = ["--corruptions", "shot_noise", "elastic_transform"]
    assert run(source, tmp_path / "one", *names, "--workers", "1") == 0
    assert run(source, tmp_path / "two", *names, "--workers", "2") == 0
    assert len(files(tmp_path / "one")) == 50
    assert files(tmp_path / "one") == files(tmp_path / "two")


@needs_opencv
def test_what_is_there_stays_and_what_is_missing_is_made(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, *QUICK) == 0
    before = files(out)
    gone = out / "contrast" / "5" / "n01440764" / "a.JPEG"
    gone.unlink()
    kept = out / "contrast" / "1" / "n01440764" / "a.JPEG"
    kept_time = kept.stat().st_mtime_ns
    assert run(source, out, *QUICK) == 0
    assert files(out) == before
    assert kept.stat().st_mtime_ns == kept_time
    assert run(source, out, "--corruptions", "contrast", "--severities", "3") == 0
    assert "contrast/3" in read_json(out / "manifest.json")["complete"]


@needs_opencv
def test_checksums_are_those_of_the_files_and_of_their_list(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, out, *QUICK) == 0
    for cell in ("contrast/1", "gaussian_noise/5"):
        text = (out / cell / "SHA256SUMS").read_text()
        paths = sorted((out / cell).glob("*/*.JPEG"))
        assert text == "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.parent.name}/{path.name}\n"
            for path in paths
        )
        complete = read_json(out / "manifest.json")["complete"]
        assert complete[cell] == hashlib.sha256(text.encode()).hexdigest()


@needs_opencv
def test_a_picture_is_the_same_made_alone(source: Path, tmp_path: Path) -> None:
    assert run(source, tmp_path / "all", *QUICK) == 0
    alone = tmp_path / "alone" / "n01440764"
    alone.mkdir(parents=True)
    (alone / "a.JPEG").write_bytes((source / "n01440764" / "a.JPEG").read_bytes())
    options = ["--corruptions", "gaussian_noise", "--severities", "5", "--workers", "1"]
    assert run(tmp_path / "alone", tmp_path / "out", *options) == 0
    name = "gaussian_noise/5/n01440764/a.JPEG"
    assert files(tmp_path / "out")[name] == files(tmp_path / "all")[name]


@needs_opencv
@pytest.mark.parametrize(
    ("prepare", "options", "message"),
    [
        ("seed", ["--seed", "1"], "holds files of seed 0, not 1: give --seed 0"),
        ("foreign", [], "not empty, and without a whole manifest.json"),
        ("other", [], "manifest.json: not written by oodbench-data corrupt"),
        ("parameters", [], "made with other parameters"),
        ("new", ["--corruptions", "rain"], "unknown corruption rain: available: gaussian_noise, "),
        ("new", ["--workers", "0"], "--workers 0: give 1 or more"),
        ("file", [], "Not a directory"),
    ],
)
def test_refusals_are_one_line(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: str,
    options: list[str],
    message: str,
) -> None:
    out = tmp_path / "out"
    if prepare in ("seed", "parameters"):
        assert run(source, out, *QUICK) == 0
    if prepare == "parameters":
        manifest = (out / "manifest.json").read_text()
        old = read_json(out / "manifest.json")["parameters_sha256"]
        (out / "manifest.json").write_text(manifest.replace(old, "0" * 64))
    if prepare in ("foreign", "other"):
        out.mkdir()
        (out / ("manifest.json" if prepare == "other" else "fog")).write_text("{}")
    if prepare == "file":
        out.write_text("")
    capsys.readouterr()
    assert run(source, out, *QUICK, *options) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@needs_opencv
def test_frost_without_textures_stops_before_anything_is_written(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from oodbench.data.corruptions import frost_textures

    monkeypatch.setattr(frost_textures, "FOLDERS", {"no_such_package": "frost"})
    frost_textures.frost_textures.cache_clear()
    assert run(source, tmp_path / "out", "--corruptions", "contrast", "frost") == 1
    error = capsys.readouterr().err
    assert "its textures come with the package corrupt-tta" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@needs_opencv
def test_wrong_sources_are_named(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "nowhere", tmp_path / "out", *QUICK) == 1
    assert "nowhere: no such folder; point --source at" in capsys.readouterr().err
    picture(9).save(source / "n01440764" / "a.png")
    assert run(source, tmp_path / "out", *QUICK) == 1
    assert "beside it would get the same name" in capsys.readouterr().err
    (source / "n01440764" / "a.png").unlink()
    (source / "n01443537").rename(source / "goldfish")
    assert run(source, tmp_path / "out", *QUICK) == 1
    assert "goldfish: not a synset id of ImageNet-1k" in capsys.readouterr().err


@needs_opencv
def test_pictures_of_more_than_8_bits_are_counted_and_listed(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    deep = source / "n01443537" / "deep.png"
    Image.fromarray(np.full((256, 256), 30000, np.uint16)).save(deep)
    options = [*QUICK[:-2], "--workers"]
    for workers in ("1", "2"):
        caplog.clear()
        assert run(source, out, *options, workers) == 0
        (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
        assert warning.getMessage().startswith(
            f"1 clean pictures have more than 8 bits a channel ({out / 'manifest.json'} lists them)"
        )
        assert read_json(out / "manifest.json")["deep"] == ["n01443537/deep.png"]
    with Image.open(out / "contrast" / "1" / "n01443537" / "deep.JPEG") as opened:
        assert np.asarray(opened).min() > 250  # white
    fresh = tmp_path / "fresh"
    assert run(source, fresh, *options, "2") == 0
    assert read_json(fresh / "manifest.json")["deep"] == ["n01443537/deep.png"]
    deep.unlink()
    assert run(source, tmp_path / "none", *QUICK) == 0
    assert "deep" not in read_json(tmp_path / "none" / "manifest.json")


@needs_opencv
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_damaged_picture_stops_the_run_or_is_left_out(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    damaged = source / "n01440764" / "a.JPEG"
    damaged.write_bytes(damaged.read_bytes()[:900])
    options = ["--corruptions", "contrast", "--severities", "1", "--workers", workers]
    assert run(source, tmp_path / "out", *options) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{damaged}: cannot be read as a picture" in error
    assert run(source, tmp_path / "out", *options, "--on-error", "skip") == 0
    assert len(files(tmp_path / "out")) == 4
    assert list(read_json(tmp_path / "out" / "manifest.json")["damaged"]) == ["n01440764/a.JPEG"]


def test_without_opencv_the_error_names_the_extra(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.startswith("oodbench.data.corruptions")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert run(source, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "pip install -e '.[corruptions]'" in error
    assert error.count("\n") == 1


@needs_opencv
def test_an_interrupted_run_exits_with_130_and_is_continued(source: Path, tmp_path: Path) -> None:
    for index in range(30):
        picture(index).save(source / "n01440764" / f"more{index}.JPEG")
    out = tmp_path / "out"
    names = ["--corruptions", "zoom_blur"]
    command = [sys.executable, "-c", "from oodbench.cli.data import main; raise SystemExit(main())"]
    command += ["corrupt", "--source", str(source), "--out", str(out), *names, "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not files(out) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "interrupted: the same command goes on where it stopped\n"
    n_files = len(files(out))
    assert 0 < n_files < 35 * 5
    assert not list(out.rglob("*.part"))
    assert run(source, out, *names, "--workers", "1") == 0
    assert len(files(out)) == 35 * 5


def test_the_options_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["corrupt", "--help"])
    shown = capsys.readouterr().out
    for option in ("--source VAL", "--out DIR", "--workers N", "--seed", "--on-error"):
        assert option in shown
    assert cli.COMMANDS["corrupt"].summary.split(":")[0] in shown
