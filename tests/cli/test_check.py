import json
import subprocess
import sys
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest
from run_factory import failure, run_result, score, store, store_failure, store_records

from oodbench.cli.check import main
from oodbench.metrics.perturbation import TEST_PERTURBATIONS
from oodbench.metrics.score import Score
from oodbench.reports.published.check import check_runs
from oodbench.runs.key import PIPELINE
from oodbench.runs.results import RunResult

BILINEAR: dict[str, Any] = {"resize": 256, "crop": 224, "interpolation": "bilinear"}
SKETCH: dict[str, Any] = {
    "resize": 256,
    "crop": 224,
    "resize_after_crop": 800,
    "interpolation": "bicubic",
}
L2 = "tf_efficientnet_l2_ns"


def run(
    model: str,
    benchmark: str,
    scores: dict[str, Score],
    steps: dict[str, Any],
    **changed: Any,
) -> RunResult:
    name = changed.get("preprocessing", "published")
    config = {"preprocessing": {"name": name, "_target_": PIPELINE, **steps}}
    return run_result(model, benchmark, scores, config=config, **changed)


def resnet50(value: float, **changed: Any) -> RunResult:
    return run("resnet50", "imagenet", {"top1": score(value, n=50_000)}, BILINEAR, **changed)


def largest(value: float) -> RunResult:
    return run(L2, "imagenet_sketch", {"top1": score(value, n=50_889)}, SKETCH)


def test_pass_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(resnet50(0.76130), tmp_path)
    store(largest(0.5266), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == [
        "verdict",
        *["explained"] * 2,
        *["pass"] * 5,
    ]
    assert lines[1].split()[:10] == [
        "explained",
        L2,
        "imagenet_sketch",
        "top1",
        "published",
        "52.66",
        "timm",
        "47.40",
        "+5.26",
        "0.20",
    ]
    assert "the published run enlarges a 224-pixel crop to the native size" in lines[1]
    assert lines[-2] == ""
    assert lines[-1] == (
        "5 pass, 2 explained, 0 unexplained; 0 rows not checked, 0 without a reference"
    )
    assert not any("decoders" in line for line in lines)


def test_columns_are_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(resnet50(0.76130), tmp_path)
    store(largest(0.5266), tmp_path)
    main(["--output-root", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()[:-2]
    end = lines[0].index("measured") + len("measured")
    assert all(line[end - 5 : end] in ("76.13", "52.66") for line in lines[1:])


def test_unexplained_first_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(resnet50(0.76130), tmp_path)
    store(largest(0.50), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["unexplained"] * 3
    # The one farthest from its source.
    assert "published" in lines[1].split()[6]
    assert lines[-1].startswith("4 pass, 0 explained, 3 unexplained; ")


@pytest.mark.parametrize("moved", [-0.0125, 0.0125])
def test_a_point_beyond_the_tolerance_exits_with_1(tmp_path: Path, moved: float) -> None:
    store(resnet50(0.7613 + moved), tmp_path)
    assert main(["--output-root", str(tmp_path), "--quiet"]) == 1


def test_timm_under_the_name_published_is_one_pipeline(tmp_path: Path) -> None:
    store(resnet50(0.76130), tmp_path)
    store(
        resnet50(0.76130, preprocessing="timm", key="2", difference=["preprocessing=timm"]),
        tmp_path,
    )
    comparisons = check_runs(tmp_path).comparisons
    assert len(comparisons) == 8
    assert {comparison.verdict for comparison in comparisons} == {"pass"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"demo": True, "status": "partial"}, "demo data"),
        (
            {"status": "partial", "n_images": 10, "n_expected": 50_000},
            "partial: 10 of 50000 pictures",
        ),
        ({"weights": "random:0"}, "random weights"),
        (
            {"difference": ["preprocessing=timm", "attack=pgd_linf"]},
            "another run: attack=pgd_linf",
        ),
        ({"difference": ["attack.eps=0.03"]}, "another run: attack.eps=0.03"),
        ({"difference": ["model.std=[1,1,1]"]}, "another run: model.std=[1,1,1]"),
    ],
)
def test_not_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], reason: str
) -> None:
    store(resnet50(0.1, **changed), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "not checked: resnet50 × imagenet (preprocessing=published, 000000000001): " + reason,
        "",
        "0 pass, 0 explained, 0 unexplained; 1 row not checked, 0 without a reference",
    ]


def test_a_list_in_the_difference_is_no_attack(tmp_path: Path) -> None:
    steps = {"resize": [256, 256], "crop": 224}
    store(
        run(
            "resnet50",
            "imagenet",
            {"top1": score(0.75, n=50_000)},
            steps,
            difference=["preprocessing.resize=[256, 256]"],
        ),
        tmp_path,
    )
    check = check_runs(tmp_path)
    assert len(check.comparisons) == 4
    assert {comparison.measured.preprocessing for comparison in check.comparisons} == {
        "resize=[256, 256]"
    }
    assert {comparison.verdict for comparison in check.comparisons} == {"explained"}


def test_undefined_score(tmp_path: Path) -> None:
    undefined = replace(score(nan), note="no picture was called by its shape or its texture")
    store(run("resnet50", "cue_conflict", {"shape_bias": undefined}, {}), tmp_path)
    check = check_runs(tmp_path)
    assert check.comparisons == []
    assert [row.reason for row in check.not_checked] == [undefined.note]


def test_scores_without_a_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"top1": score(0.7613, n=50_000), "top5": score(0.93, n=50_000)}
    store(run("resnet50", "imagenet", scores, BILINEAR), tmp_path)
    store(run("mynet", "imagenet", scores, BILINEAR), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "top5" not in out
    assert out.splitlines()[-1].endswith("0 rows not checked, 3 without a reference")
    assert main(["--output-root", str(tmp_path), "--verbose"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "not checked: resnet50 × imagenet top5 (preprocessing=published, 000000000001): " in (
        "\n".join(lines)
    )
    assert any(line.startswith("pass") and "decoders" in line for line in lines)


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(largest(0.5266), tmp_path)
    store(resnet50(0.1, demo=True), tmp_path)
    corrupted = {"mce": score(76.6, n=50_000, unit="percent")}
    store(run("resnet50", "imagenet_c", corrupted, {"crop": 224}), tmp_path)
    file = tmp_path / "reports" / "check.json"
    assert main(["--output-root", str(tmp_path), "--json", str(file), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    content = json.loads(file.read_text("utf-8"))
    assert content["summary"] == {"pass": 2, "explained": 3, "unexplained": 0}
    first = content["comparisons"][0]
    assert (first["verdict"], first["model"], first["source"]) == ("explained", L2, "timm")
    assert first["measured"] == pytest.approx(52.66)
    assert first["source_value"] == 47.401
    assert first["pipeline"] == "resize 256 bicubic, crop 224, resize 800 bicubic"
    assert first["source_pipeline"] == "resize 833 bicubic, crop 800"
    assert first["difference"] == pytest.approx(5.259)
    assert first["origin"].endswith("results-sketch.csv")
    other = [row for row in content["comparisons"] if row["source_protocol"] == "re-cropped files"]
    assert [(row["difference"], row["tolerance"]) for row in other] == [(None, None)]
    assert [row["reason"] for row in content["not_checked"]] == ["demo data"]


def test_scores_that_need_a_normaliser(tmp_path: Path) -> None:
    clips = {
        "image": ["a.mp4"] * 3,
        "frame": [0, 1, 2],
        "prediction": [1, 2, 2],
        "top5": [[1, 2, 3, 4, 5]] * 3,
    }
    counts = {"n_items": 1, "n": 1, "n_expected": 1, "skipped": []}
    result = run(
        "resnet50",
        "imagenet_p",
        {"flip_probability": score(0.5)},
        {},
        splits=dict.fromkeys(TEST_PERTURBATIONS, counts),
    )
    target = "oodbench.benchmarks.trees.ImageNetP"
    result.config["benchmark"] = {"protocol": {"_target_": target}}
    folder = store(result, tmp_path)
    rows = ["perturbation,flip_probability,top5_distance"]
    for split in TEST_PERTURBATIONS:
        store_records(folder, split, {**clips, "split": [split] * 3})
        # The one clip flips in one of two steps, and under noise, set against its first frame,
        # in both.
        rate = 1.0 if "noise" in split else 0.5
        rows.append(f"{split},{rate / 0.58},1.0")
    file = tmp_path / "alexnet.csv"
    file.write_text("\n".join(rows) + "\n")
    check = check_runs(tmp_path, file)
    found = {comparison.measured.metric: comparison for comparison in check.comparisons}
    assert found["mfr"].measured.value == pytest.approx(58.0)
    assert (found["mfr"].reference.value, found["mfr"].verdict) == (58.0, "pass")
    # All five places stay: the distance is 0.
    assert (found["mt5d"].measured.value, found["mt5d"].verdict) == (0.0, "unexplained")
    assert [row.metric for row in check.without_reference] == ["flip_probability"]


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_failure(failure("mynet"), tmp_path)
    assert main(["--output-root", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        captured.err
        == f"error: no finished run below {tmp_path}/runs; run oodbench model=… first\n"
    )


def test_unwritable_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(resnet50(0.7613), tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["--output-root", str(tmp_path), "--json", str(tmp_path / "file" / "x")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--quiet", "--verbose"])
    assert stopped.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_torch_is_not_imported(tmp_path: Path) -> None:
    store(resnet50(0.7613), tmp_path)
    code = (
        "import sys; from oodbench.cli.check import main; "
        f"assert main(['--output-root', {str(tmp_path)!r}]) == 0; "
        "sys.exit('torch' in sys.modules)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_json_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(resnet50(0.7613), tmp_path)
    main(["--output-root", str(tmp_path), "--json", "-", "--quiet"])
    assert json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["--output-root", str(tmp_path), "--json", str(tmp_path)])
    assert "a folder; name a file in it" in capsys.readouterr().err
