"""The command line: single, sweep, failing jobs, kills, reruns."""

import json
import os
import re
import signal
import subprocess
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from toys import TOY_MODEL, TOY_MODULE, WNIDS, Cli, command

from oodbench.runs.records import read_info, read_split

PIPELINE = "preprocessing=timm"


def run_folder(root: Path, benchmark: str = "imagenet") -> Path:
    """The one finished run of a benchmark."""
    (path,) = (root / "runs" / benchmark).glob("*/*/result.json")
    return path.parent


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of everything that must not differ from run to run."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@pytest.mark.slow
def test_one_cell_prints_scores_and_where_they_are(toy: Path, process: Cli) -> None:
    done = process("model=toy", PIPELINE)
    assert done.returncode == 0, done.stderr
    folder = run_folder(toy / "outputs")
    assert "top1" in done.stdout
    assert "partial: 60 of 50000" in done.stdout
    assert str(folder.relative_to(toy)) in done.stdout
    records = read_split(folder / "records", "")
    assert set(records.columns) >= {"image", "split", "label", "prediction", "confidence", "top5"}
    # Labels come from the synset ids, the order is round-robin over the classes.
    assert list(records["image"][:6]) == [
        *(f"{wnid}/{wnid}_000.JPEG" for wnid in WNIDS),
        f"{WNIDS[0]}/{WNIDS[0]}_001.JPEG",
    ]
    # tench, goldfish, great white shark, tiger shark, stingray (4 and 5 have no folder here)
    assert list(records["label"][:5]) == [0, 1, 2, 3, 6]
    result = json.loads((folder / "result.json").read_text())
    top1 = result["scores"][""]["top1"]
    assert top1["value"] == (records["prediction"] == records["label"]).mean()
    assert result["n_images"] == 60


def test_a_rerun_is_skipped_without_torch(toy: Path, cli: Cli) -> None:
    assert cli("model=toy", PIPELINE).returncode == 0
    before = contents(run_folder(toy / "outputs"))
    line, environment = command(toy, "model=toy", PIPELINE)
    line[1:3] = ["-X", "importtime", "-m", "oodbench.run"]
    again = subprocess.run(
        line, cwd=toy, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert again.returncode == 0, again.stderr
    assert "done already" in again.stderr
    imported = {entry.rsplit("|", 1)[-1].strip() for entry in again.stderr.splitlines()}
    assert "oodbench.runs.plan" in imported
    assert not imported & {"torch", "torchvision", "timm", "scipy", "sklearn"}
    # Of all the text and tables of reports, only what the terminal shows of one result.
    reports = {name for name in imported if name.startswith("oodbench.reports")}
    assert reports == {"oodbench.reports", "oodbench.reports.text"}
    assert contents(run_folder(toy / "outputs")) == before


@pytest.mark.slow
def test_killed_and_continued_has_the_bytes_of_an_undisturbed_run(toy: Path, cli: Cli) -> None:
    # The other engines run an exported graph, in which nothing sleeps.
    common = ("model=toy", PIPELINE, "engine=eager")
    common = (*common, "benchmark.chunk_size=10", "engine.batch_size=4")
    slow = (toy / "toy_network.py").read_text() + (
        "\n\nclass Slow(Toy):\n    def forward(self, x):\n        import time\n"
        "        time.sleep(0.1)\n        return super().forward(x)\n"
    )
    (toy / "toy_network.py").write_text(slow)
    common = (*common, "model.network._target_=toy_network.Slow")
    assert cli(*common, "output_root=undisturbed").returncode == 0
    line, environment = command(toy, *common, "output_root=killed")
    process = subprocess.Popen(
        line, cwd=toy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list((toy / "killed").rglob("all-*.parquet"))) >= 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = list((toy / "killed").rglob("all-*.parquet"))
    assert 2 <= len(written) < 6
    assert not list((toy / "killed").rglob("result.json"))
    first = {path: path.stat().st_mtime_ns for path in written}
    assert cli(*common, "output_root=killed").returncode == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in first.items())
    # Nor is anything left of what was half written, or of the lease of the process that is dead.
    assert contents(run_folder(toy / "killed")) == contents(run_folder(toy / "undisturbed"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
)
def test_a_signal_keeps_what_was_computed_and_says_so(
    toy: Path, number: signal.Signals, code: int
) -> None:
    (toy / "toy_network.py").write_text(
        (toy / "toy_network.py").read_text()
        + "\n\nclass Slow(Toy):\n    def forward(self, x):\n        import time\n"
        "        time.sleep(0.3)\n        return super().forward(x)\n"
    )
    line, environment = command(
        toy,
        "model=toy",
        PIPELINE,
        "engine=eager",  # the others run an exported graph, in which nothing sleeps
        "benchmark.chunk_size=5",
        "model.network._target_=toy_network.Slow",
    )
    process = subprocess.Popen(
        line, cwd=toy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((toy / "outputs").rglob("all-*.parquet")):
        time.sleep(0.02)
    time.sleep(0.4)  # into the second chunk
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    (job,) = (toy / "outputs" / "sweeps" / "jobs").glob("*.json")
    assert json.loads(job.read_text())["state"] == "stopped"
    said = "\ninterrupted: what was computed is kept, the same command goes on from there\n"
    assert said in errors
    assert "Traceback" not in errors
    assert not list((toy / "outputs" / "runs").rglob("*.part"))
    assert not list((toy / "outputs" / "runs").rglob("*.lease"))
    assert not list((toy / "outputs").rglob("result.json"))


@pytest.mark.parametrize(
    "change", [("engine.batch_size=7",), ("data.workers=1", "engine.batch_size=1")]
)
def test_batch_size_and_workers_change_no_prediction(
    toy: Path, cli: Cli, change: tuple[str, ...]
) -> None:
    assert cli("model=toy", PIPELINE, "output_root=a").returncode == 0
    assert cli("model=toy", PIPELINE, "output_root=b", *change).returncode == 0
    assert run_folder(toy / "a").name == run_folder(toy / "b").name
    first, second = (read_split(run_folder(toy / name) / "records", "") for name in "ab")
    assert first["image"].equals(second["image"])
    assert first["prediction"].equals(second["prediction"])
    assert np.abs(first["confidence"] - second["confidence"]).max() <= 1e-5


def test_limit_is_a_prefix_that_can_be_raised(toy: Path, cli: Cli) -> None:
    common = ("model=toy", PIPELINE, "benchmark.chunk_size=10")
    assert cli(*common, "limit=25").returncode == 0
    folder = run_folder(toy / "outputs")
    assert json.loads((folder / "result.json").read_text())["n_images"] == 25
    assert cli(*common).returncode == 0
    assert json.loads((folder / "result.json").read_text())["n_images"] == 60
    # Nothing is computed twice, not even in the chunk that the limit cut in two.
    sessions = json.loads((folder / "run.json").read_text())["sessions"]
    assert [session["items"] for session in sessions] == [25, 35]
    assert cli(*common, "output_root=whole").returncode == 0
    assert list(contents(folder)) == list(contents(run_folder(toy / "whole")))
    raised, whole = (
        read_split(run_folder(toy / name) / "records", "") for name in ("outputs", "whole")
    )
    computed = ["confidence", "label_log_probability", "sum_of_squared_probabilities"]
    assert raised.drop(columns=computed).equals(whole.drop(columns=computed))
    assert np.abs(raised[computed] - whole[computed]).to_numpy().max() <= 1e-5


def test_shards_make_the_same_run(toy: Path, cli: Cli) -> None:
    common = ("model=toy", PIPELINE, "benchmark.chunk_size=10")
    first = cli(*common, "shard.count=2", "shard.index=0")
    assert first.returncode == 0
    assert not list((toy / "outputs").rglob("result.json"))
    assert cli(*common, "shard.count=2", "shard.index=1").returncode == 0
    assert cli(*common, "output_root=whole").returncode == 0
    assert contents(run_folder(toy / "outputs")) == contents(run_folder(toy / "whole"))


def test_in_a_sweep_the_others_go_on_and_every_failure_is_said_once(toy: Path, cli: Cli) -> None:
    (toy / "toy_network.py").write_text(
        f"{TOY_MODULE}\n\nclass Broken(Toy):\n    def forward(self, x):\n        return x.broken\n"
    )
    (toy / "my_conf" / "model" / "broken.yaml").write_text(
        TOY_MODEL.replace("name: toy", "name: broken").replace("network.Toy", "network.Broken")
    )
    models, benchmarks = "toy,timm,broken", "imagenet,imagenet_a,imagenet_sketch"
    swept = cli("-m", f"model={models}", f"benchmark={benchmarks}", PIPELINE)
    assert swept.returncode == 1
    assert re.search(r"^9 jobs in \d+ s: 1 done, 8 failed$", swept.stdout, re.MULTILINE)
    assert "Traceback" not in swept.stderr
    # Each failure once, with what repeats the job.
    failed = [line for line in swept.stderr.splitlines() if line.startswith("failed: ")]
    jobs = list(product(models.split(","), benchmarks.split(",")))[1:]
    for line, (model, benchmark) in zip(failed, jobs, strict=True):
        job = f"data.root=data data.allow_partial=True model={model} benchmark={benchmark} "
        assert line.startswith(f"failed: {job}{PIPELINE}: ")
    assert swept.stderr.count("imagenet-sketch: no such folder") == 2
    assert "model.timm_name" in swept.stderr
    broken = failed[jobs.index(("broken", "imagenet"))]
    assert (found := re.search(r"AttributeError.* \(traceback: (.*outputs/logs/.*)\)$", broken))
    assert "Traceback (most recent call last)" in Path(found[1]).read_text()
    failures = list((toy / "outputs" / "runs").rglob("error.json"))
    assert {json.loads(path.read_text())["benchmark"] for path in failures} >= {"imagenet_sketch"}


def test_in_a_sweep_a_run_that_is_done_is_one_line(toy: Path, cli: Cli) -> None:
    swept = ("-m", "model=toy", "limit=2,3", PIPELINE)
    first = cli(*swept)
    assert "n=2" in first.stdout
    assert "result.json" in first.stdout
    again = cli(*swept)
    assert again.stderr == ""
    *done, counts = again.stdout.splitlines()
    # Both are the run of three pictures.
    line = r"toy × imagenet \(.*\)  \[partial: 3 of 50000\]  top1  .*  n=3  done already"
    more = "; asked for 2 of these 3 items: the larger result stays"
    assert len(done) == 2
    assert re.fullmatch(f"{line}{more}", done[0]), done
    assert re.fullmatch(line, done[1]), done
    alone = cli(*swept[1:2], "limit=1", PIPELINE)
    assert "asked for 1 of these 3 items: the larger result stays" in alone.stderr
    assert re.fullmatch(r"2 jobs in \d+ s: 2 skipped, 0 failed", counts)


def test_in_a_sweep_two_pipelines_of_the_same_pixels_are_one_run(cli: Cli) -> None:
    swept = cli("-m", "model=toy", "limit=1", "preprocessing=published,resize256_crop224,square")
    shared = "preprocessing=resize256_crop224 gives the same pixels as published: one run"
    assert len(re.findall(rf"toy × imagenet .* done already; {shared}\n", swept.stdout)) == 1
    assert "2 done, 1 skipped, 0 failed" in swept.stdout


def test_a_sweep_that_matches_nothing_exits_2(cli: Cli) -> None:
    swept = cli("-m", "model=glob(nothing*)")
    assert swept.returncode == 2
    assert "matched no config" in swept.stderr


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+engine.batchsize=3", "batch_size"),
        ("+preprocessing.interpolaton=bilinear", "did you mean interpolation"),
        ("preprocessing.interpolation=cubic", "bicubic"),
        ("model=toi", "toy"),
        ("data.on_error=ignore", "skip"),
        ("engine.device=cuda", "engine.device=cpu"),
    ],
)
def test_a_typo_is_refused_by_name_with_the_alternatives(
    cli: Cli, override: str, said: str
) -> None:
    refused = cli("model=toy", PIPELINE, override)
    assert refused.returncode == 1
    assert said in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr


def test_preprocessing_that_pads_warns(toy: Path, cli: Cli) -> None:
    padding = ("preprocessing.resize=10", "preprocessing.crop=32", "limit=1")
    found = cli("model=toy", PIPELINE, *padding)
    said = "preprocessing.resize=10 leaves 10 pixels, and preprocessing.crop=32 pads every picture"
    assert found.stderr.count(said) == 1  # before the run
    assert found.stdout.count(f"  note: {said}") == 1
    assert (
        "pads" in json.loads((run_folder(toy / "outputs") / "result.json").read_text())["notes"][0]
    )
    again = cli("model=toy", PIPELINE, *padding)
    assert said in again.stdout


def test_unreadable_pictures_stop_the_run_or_are_counted(toy: Path, cli: Cli) -> None:
    broken = toy / "data" / "imagenet" / "val" / WNIDS[1] / f"{WNIDS[1]}_003.JPEG"
    broken.write_bytes(broken.read_bytes()[:400])
    stopped = cli("model=toy", PIPELINE)
    assert stopped.returncode == 1
    assert broken.name in stopped.stderr
    assert "data.on_error=skip" in stopped.stderr
    skipped = cli("model=toy", PIPELINE, "data.on_error=skip")
    assert skipped.returncode == 0
    result = json.loads((run_folder(toy / "outputs") / "result.json").read_text())
    assert result["n_images"] == 59
    assert result["status"] == "partial"
    assert [item["image"] for item in result["splits"][""]["skipped"]] == [
        f"{WNIDS[1]}/{broken.name}"
    ]
    assert not list((toy / "outputs" / "runs").rglob("error.json"))


def test_incomplete_data_are_an_error_unless_allowed(toy: Path, cli: Cli) -> None:
    refused = cli("model=toy", PIPELINE, "data.allow_partial=false")
    assert refused.returncode == 1
    assert "60 files, imagenet has 50000" in refused.stderr
    assert "data.allow_partial=true" in refused.stderr


def test_unknown_weights_are_never_reused(toy: Path, cli: Cli) -> None:
    arguments = ("model=toy", PIPELINE, "model.weights.identity=null")
    assert cli(*arguments).returncode == 0
    again = cli(*arguments)
    assert "set model.weights.identity=NAME" in again.stderr
    assert "60 pictures to evaluate" in again.stderr


def test_published_attack_scores_even_positions(toy: Path, cli: Cli) -> None:
    done = cli("model=toy", "benchmark=adversarial", PIPELINE, "attack.iterations=2")
    assert done.returncode == 0, done.stdout
    folder = run_folder(toy / "outputs", "adversarial")
    records = read_split(folder / "records", "")
    # 12 pictures a class: positions 0, 2, 4, … of every folder.
    assert len(records) == 30
    assert {int(name[-8:-5]) % 2 for name in records["image"]} == {0}
    assert (records["linf"] <= 0.06 + 1e-6).all()
    failed = records[~records["attack_succeeded"]]
    assert (failed["prediction"] == failed["clean_prediction"]).all()
    assert (failed["linf"] == 0).all()
    assert (records["target"] != records["label"]).all()
    result = json.loads((folder / "result.json").read_text())
    robust = ~records["attack_succeeded"] & (records["clean_prediction"] == records["label"])
    assert result["scores"][""]["adversarial_accuracy"]["value"] == robust.mean()
    assert "attack.iterations=2" in result["difference"]
    report = result["attack_report"]
    assert report["accuracy"]["value"] == robust.mean()
    never = robust & (records["first_error"] < 0)
    assert report["strict_accuracy"]["value"] == never.mean()
    assert report["iterations"] == [0, 1, 2]
    assert [check["verdict"] for check in report["checks"]].count("not checked") == 0


def test_another_attack_can_be_named(toy: Path, cli: Cli) -> None:
    done = cli("model=toy", "benchmark=adversarial", PIPELINE, "attack=pgd_linf", "limit=6")
    assert done.returncode == 0, done.stdout
    result = json.loads((run_folder(toy / "outputs", "adversarial") / "result.json").read_text())
    assert result["attack"] == "pgd_linf"
    assert "attack=pgd_linf" in result["difference"]


def test_pictures_of_the_target_class_are_neither_attacked_nor_scored(toy: Path, cli: Cli) -> None:
    arguments = ("model=toy", "benchmark=adversarial", PIPELINE, "attack=pgd_linf", "limit=10")
    done = cli(*arguments, "attack.target=2", "attack.iterations=2")
    assert done.returncode == 0, done.stdout
    folder = run_folder(toy / "outputs", "adversarial")
    records = read_split(folder / "records", "")
    own = records["label"] == 2
    assert 0 < own.sum() < len(records) == 10
    assert (records["left_out"] == own).all()
    result = json.loads((folder / "result.json").read_text())
    others = records[~own]
    accurate = ~others["attack_succeeded"] & (others["prediction"] == others["label"])
    for score in result["scores"][""].values():
        assert score["n"] == len(others)
    assert result["scores"][""]["adversarial_accuracy"]["value"] == accurate.mean()
    assert result["attack_report"]["n_left_out"] == own.sum()
    assert f"{own.sum()} pictures are not attacked and not scored" in done.stdout
    done = cli(*arguments, "attack.target=2", "attack.target_is_label=next", "output_root=next")
    assert done.returncode == 0, done.stdout
    records = read_split(run_folder(toy / "next", "adversarial") / "records", "")
    assert (records["target"] == (records["label"] == 2) + 2).all()


def test_the_same_attack_at_another_batch_size_has_the_same_randomness(toy: Path, cli: Cli) -> None:
    for name, size in (("a", 16), ("b", 3)):
        done = cli(
            "model=toy",
            "benchmark=adversarial",
            PIPELINE,
            f"engine.batch_size={size}",
            f"output_root={name}",
        )
        assert done.returncode == 0
    first, second = (
        read_split(run_folder(toy / name, "adversarial") / "records", "") for name in "ab"
    )
    assert first["target"].equals(second["target"])
    assert (first["attack_succeeded"] == second["attack_succeeded"]).mean() >= 0.99


def test_an_engine_without_gradients_cannot_be_attacked_with_them(toy: Path, cli: Cli) -> None:
    attacked = ("model=toy", "benchmark=adversarial", PIPELINE, "engine=openvino", "limit=2")
    refused = cli(*attacked)
    assert refused.returncode == 1
    expected = "engine=openvino: computes no gradients, which attack=pgd_targeted needs: use "
    assert expected + "another engine, such as engine=eager, or an attack without" in refused.stderr


def test_the_engine_that_computed_is_named(toy: Path, cli: Cli) -> None:
    assert cli("model=toy", PIPELINE, "engine=eager").returncode == 0
    (session,) = json.loads((run_folder(toy / "outputs") / "run.json").read_text())["sessions"]
    assert (session["engine"], session["computed_by"]) == ("eager", "eager")
    assert 10**8 < session["peak_memory"] < 10**11
    (path,) = (run_folder(toy / "outputs") / "records").iterdir()
    info = read_info(path)
    assert info is not None
    assert (info.engine, info.note, info.batch_size) == ("eager", "", 8)


def test_pictures_from_the_cache_give_the_same_records(toy: Path, cli: Cli) -> None:
    cached = ("model=toy", PIPELINE, "data.cache=disk", "data.cache_dir=cache")
    assert cli("model=toy", PIPELINE, "output_root=without").returncode == 0
    for output in ("cold", "warm"):
        assert cli(*cached, f"output_root={output}").returncode == 0
    assert len(list((toy / "cache").glob("*.pixels"))) == 1
    plain = contents(run_folder(toy / "without"))
    assert contents(run_folder(toy / "cold")) == plain
    for picture in (toy / "data").rglob("*.JPEG"):
        status = picture.stat()
        picture.write_bytes(bytes(status.st_size))  # only the cache knows what it was
        os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cli(*cached, "output_root=from_cache").returncode == 0
    assert contents(run_folder(toy / "from_cache")) == plain


def test_a_config_with_a_shipped_name_is_not_silently_ignored(toy: Path, cli: Cli) -> None:
    (toy / "my_conf" / "model" / "resnet50.yaml").write_text("name: mine\n")
    done = cli("model=toy", PIPELINE, "limit=1")
    assert done.returncode == 0
    assert "my_conf/model/resnet50.yaml is ignored" in done.stderr
    assert "toy.yaml is ignored" not in done.stderr


def test_scores_of_attacked_pictures_are_refused_for_a_clean_run(toy: Path, cli: Cli) -> None:
    found = cli("model=toy", "benchmark=adversarial", "attack=none")
    assert found.returncode == 1
    said = found.stdout + found.stderr
    assert "counts attacked pictures: use an attack, such as attack=pgd_targeted" in said
    assert "Traceback" not in said
    assert not list(toy.rglob("*.parquet"))


def test_names_that_are_no_utf_8(toy: Path, cli: Cli) -> None:
    """Such a picture counts like any other; in records and messages its bytes stand as text."""
    val = toy / "data" / "imagenet" / "val"
    before = cli("model=toy", PIPELINE, "output_root=before")
    for wnid in WNIDS[:2]:
        first = min((val / wnid).iterdir())
        first.rename(first.with_name(os.fsdecode(b"a\xff.JPEG")))
    done = cli("model=toy", PIPELINE)
    assert (before.returncode, done.returncode) == (0, 0), done.stderr
    rows, expected = (
        read_split(run_folder(toy / root) / "records", "") for root in ("outputs", "before")
    )
    assert list(rows["image"][:2]) == [rf"{wnid}/a\udcff.JPEG" for wnid in WNIDS[:2]]
    for column in ("label", "prediction", "confidence"):
        assert list(rows[column]) == list(expected[column])
    attacked = cli("model=toy", PIPELINE, "benchmark=adversarial", "attack.iterations=1")
    assert attacked.returncode == 0, attacked.stderr

    (val / WNIDS[0] / os.fsdecode(b"a\xff.JPEG")).write_bytes(b"no picture at all")
    broken = cli("model=toy", PIPELINE)
    named = rf"data/imagenet/val/{WNIDS[0]}/a\udcff.JPEG: cannot be read as a picture"
    assert broken.returncode == 1
    assert named in broken.stderr
    assert "Traceback" not in broken.stderr
    (kept,) = (toy / "outputs" / "runs").rglob("error.json")
    assert json.loads(kept.read_bytes())["error"].startswith(named)
    skipped = cli("model=toy", PIPELINE, "data.on_error=skip")
    assert skipped.returncode == 0, skipped.stderr
    assert rf"left out: {WNIDS[0]}/a\udcff.JPEG" in skipped.stdout.encode("utf-8").decode()
