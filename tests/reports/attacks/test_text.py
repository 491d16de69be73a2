"""The report in result.json and as text, from runs on disk."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_factory import run_result, score, store, store_records

from oodbench.cli.table import main
from oodbench.core.errors import DataError
from oodbench.metrics.attack_checks import Check
from oodbench.metrics.attack_traits import AttackTraits, traits_before_they_were_stored
from oodbench.reports.attacks import second_runs as second_runs_module
from oodbench.reports.attacks import text as text_module
from oodbench.reports.attacks.second_runs import compare
from oodbench.reports.attacks.text import report_text
from oodbench.runs.attacked import read_attacked, stored_report
from oodbench.runs.results import RunResult, read_result, read_results, write_result
from oodbench.runs.scoring import rescore

PGD = {"_target_": "oodbench.attacks.pgd.PGD", "name": "pgd_linf", "norm": "linf"}
SQUARE = {"_target_": "oodbench.attacks.square.Square", "name": "square", "norm": "linf"}
FREE = "gradient-free attack finds no more"
EPS = "larger eps does not raise accuracy"
MORE = "more steps find no more"
STABLE = "more steps do not raise accuracy"
STARTS = "random starts agree"


def pgd(**changed: Any) -> dict[str, Any]:
    return {**PGD, "eps": 0.02, "iterations": 10, "memory": None, **changed}


def attacked_run(
    root: Path, kept: str, *, attack: dict[str, Any], key: str = "1", seed: int = 0, **changed: Any
) -> RunResult:
    """A run on a picture a letter; small ones are lost in the second of 10 iterations."""
    succeeded = [letter.islower() for letter in kept]
    n = len(kept)
    more = {"l2": changed.pop("l2")} if "l2" in changed else {}
    result = run_result(
        changed.pop("model", "m"),
        "adversarial",
        {"adversarial_accuracy": score(0.5)},
        key=key,
        attack=attack.get("name", "none"),
        splits={"": {"n_items": n, "n": n, "n_expected": n, "skipped": []}},
        n_images=n,
        n_expected=n,
        config={
            "model": {"network": "m"},
            "preprocessing": {"name": changed.pop("pipeline", "published"), "resize": 224},
            "attack": attack,
            "seed": seed,
            "benchmark": {"protocol": {"root": "data/imagenet/val"}, "version": 1},
        },
        attack_traits=changed.pop("traits", traits_before_they_were_stored(attack)),
        **changed,
    )
    folder = store(result, root)
    columns: dict[str, list[Any]] = {
        "image": [f"n01/{letter.upper()}.JPEG" for letter in kept],
        "frame": [0] * n,
        "label": [0] * n,
        "prediction": [int(lost) for lost in succeeded],
        "clean_prediction": [0] * n,
        "clean_loss": [0.1] * n,
        "attack_loss": [1.0] * n,
        "attack_succeeded": succeeded,
        "attack_iterations": [2 if lost else 10 for lost in succeeded],
        **more,
    }
    store_records(folder, "", columns)
    return replace(result, directory=folder)


def checks(results: list[RunResult], of: int = 0) -> dict[str, Check]:
    return {check.name: check for check in compare(results[of], results)}


def report_on(run: RunResult, n_items: int) -> dict[str, Any] | None:
    """The report on the first items of a run, from its records on disk."""
    return stored_report(
        read_attacked(run.directory / "records", (("", n_items),)), run.attack_traits
    )


def test_result_json_holds_the_report(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "ABcdE", attack=pgd())
    report = report_on(run, 5)
    assert report is not None
    assert (report["accuracy"]["value"], report["accuracy"]["n"]) == (3 / 5, 5)
    assert report["accuracy_after"] == [1.0, 1.0] + 9 * [0.6]
    write_result(tmp_path / "result.json", replace(run, attack_report=report))
    found = read_result(tmp_path / "result.json")
    assert found is not None
    assert found.attack_report == report
    assert report_on(replace(run, attack_traits=None), 5) is None
    assert report_on(run, 0) is None
    with pytest.raises(DataError, match=r"all-00000\.parquet: missing"):
        report_on(replace(run, directory=tmp_path / "nothing"), 5)


@pytest.mark.parametrize(
    "attack",
    [
        pgd(early_stop=False),
        {"_target_": "oodbench.attacks.torchattacks.TorchAttack", "eps": 0.02},
        {"_target_": "oodbench.attacks.foolbox.FoolboxAttack", "eps": 0.02},
    ],
)
def test_attacks_that_judge_the_end_alone_have_no_curve(
    tmp_path: Path, attack: dict[str, Any]
) -> None:
    run = attacked_run(tmp_path, "ABcdE", attack=attack)
    report = report_on(run, 5)
    assert report is not None
    assert report["iterations"] == [0, 10]
    assert report["checks"][0]["verdict"] == "not checked"


def test_only_the_scored_items_count(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "ABcdE", attack=pgd())
    report = report_on(run, 4)
    assert report is not None
    assert (report["accuracy"]["value"], report["accuracy"]["n"]) == (2 / 4, 4)


def test_an_attack_without_gradients_is_compared_on_common_pictures(tmp_path: Path) -> None:
    runs = [
        attacked_run(tmp_path, "ABCDef", attack=pgd()),
        # On A to D one less than PGD left; what it did with X and Y does not matter.
        attacked_run(tmp_path, "ABCdxy", attack={**SQUARE, "eps": 0.02, "queries": 50}, key="2"),
        attacked_run(tmp_path, "abcdef", attack={**SQUARE, "eps": 0.03, "queries": 90}, key="3"),
        attacked_run(tmp_path, "ABCDEF", attack={**SQUARE, "eps": 0.02, "queries": 20}, key="4"),
    ]
    check = checks(runs)[FREE]
    assert (check.figure, check.verdict, check.command) == (1 / 4, "warn", "")
    assert check.detail == "100.0 %, under square 75.0 % on 4 pictures (run 2)."
    assert "Croce & Hein 2020" in check.paper
    # None of them is set against Square itself.
    assert FREE not in checks(runs, of=1)


def test_accuracy_over_eps(tmp_path: Path) -> None:
    runs = [
        attacked_run(tmp_path, "ABCd", attack=pgd()),
        attacked_run(tmp_path, "ABcd", attack=pgd(eps=0.04, memory=2), key="2"),
        attacked_run(tmp_path, "Abcd", attack=pgd(eps=0.01), key="3"),
        attacked_run(tmp_path, "ABCD", attack=pgd(eps=0.08, iterations=11), key="4"),
    ]
    check = checks(runs)[EPS]
    assert (check.figure, check.verdict) == (0.75 - 0.25, "warn")
    assert check.detail == "75.0 % at eps 0.02, 25.0 % at 0.01 on 4 pictures (run 3)."
    fine = checks([runs[0], runs[1]])[EPS]
    assert (fine.figure, fine.verdict) == (-0.25, "pass")
    nested = [
        attacked_run(
            tmp_path,
            kept,
            attack={
                "_target_": "oodbench.attacks.torchattacks.TorchAttack",
                "eps": eps,
                "arguments": {"eps": eps, "steps": 5},
            },
            key=str(eps),
        )
        for kept, eps in (("AB", 0.01), ("Ab", 0.02))
    ]
    assert checks(nested)[EPS].figure == -0.5


def test_more_steps(tmp_path: Path) -> None:
    runs = [
        attacked_run(tmp_path, "ABCd", attack=pgd()),
        attacked_run(tmp_path, "ABcd", attack=pgd(iterations=20), key="2"),
        attacked_run(tmp_path, "Abcd", attack=pgd(iterations=100), key="3"),
        attacked_run(tmp_path, "ABCD", attack=pgd(iterations=200, eps=0.1), key="4"),
    ]
    found = checks(runs)
    assert (found[MORE].figure, found[MORE].verdict) == (0.5, "warn")
    assert found[MORE].detail == ("75.0 % after 10 steps, 25.0 % after 100 on 4 pictures (run 3).")
    assert (found[STABLE].figure, found[STABLE].verdict) == (-0.5, "pass")
    assert checks(runs, of=2)[MORE].verdict == "not checked"


def test_random_starts(tmp_path: Path) -> None:
    runs = [
        attacked_run(tmp_path, "ABCd", attack=pgd()),
        attacked_run(tmp_path, "ABCd", attack=pgd(), seed=1, key="2"),
        attacked_run(tmp_path, "ABCD", attack=pgd(), seed=2, key="3"),
    ]
    check = checks(runs)[STARTS]
    assert (check.figure, check.verdict) == (0.25, "warn")
    assert "75.0 % and 100.0 % with seeds 0 and 2 on 4 pictures" in check.detail
    fixed = attacked_run(tmp_path, "AB", attack=pgd(random_start=False), key="4")
    assert STARTS not in checks([fixed])


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other", "weights": "sha256:2"},
        {"weights": None},
        {"dataset_fingerprint": "1"},
        {"demo": True},
        {"precision": "fp16"},
    ],
)
def test_other_models_and_data_are_not_compared(tmp_path: Path, changed: dict[str, Any]) -> None:
    run = attacked_run(tmp_path, "AB", attack=pgd())
    other = attacked_run(tmp_path, "ab", attack=pgd(iterations=100), key="2", **changed)
    assert checks([run, other])[MORE].verdict == "not checked"


def test_the_same_pipeline_under_another_name_is_compared(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "AB", attack=pgd())
    other = attacked_run(tmp_path, "ab", attack=pgd(iterations=20), key="2", pipeline="mine")
    assert checks([run, run_result("m"), other])[MORE].figure == 1.0


def test_runs_without_a_common_picture_are_not_compared(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "AB", attack=pgd())
    other = attacked_run(tmp_path, "cd", attack=pgd(iterations=100), key="2")
    assert checks([run, other])[MORE].verdict == "not checked"


def test_the_missing_run_is_named_as_a_command(tmp_path: Path) -> None:
    run = attacked_run(
        tmp_path,
        "AB",
        attack=pgd(),
        status="partial",
        difference=[
            "preprocessing=squash",
            "attack=pgd_linf",
            "attack.eps=0.02",
            "attack.x=[1, 2]",
        ],
    )
    tail = (
        f"benchmark.root=data/imagenet/val output_root={tmp_path} data.allow_partial=true limit=2"
    )
    start = "oodbench model=m benchmark=adversarial preprocessing=squash"
    own = f"{start} attack=pgd_linf"
    found = {name: check.command for name, check in checks([run]).items()}
    assert found == {
        FREE: f"{start} attack=square attack.norm=linf attack.eps=0.02 {tail}",
        EPS: f"{own} 'attack.x=[1, 2]' attack.eps=0.04 {tail}",
        MORE: f"{own} attack.eps=0.02 'attack.x=[1, 2]' attack.iterations=100 {tail}",
        STABLE: f"{own} attack.eps=0.02 'attack.x=[1, 2]' attack.iterations=100 {tail}",
        STARTS: f"{own} attack.eps=0.02 'attack.x=[1, 2]' seed=1 {tail}",
    }


def test_a_radius_is_compared_with_the_same_of_the_same_norm(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "AB", attack=pgd(norm="l2"))
    other = attacked_run(tmp_path, "ab", attack={**SQUARE, "eps": 0.02}, key="2")
    check = checks([run, other])[FREE]
    assert check.verdict == "not checked"
    assert " attack=square attack.norm=l2 attack.eps=0.02 " in check.command
    same = attacked_run(tmp_path, "Ab", attack={**SQUARE, "norm": "l2", "eps": 0.02}, key="3")
    assert checks([run, other, same])[FREE].figure == 1 / 2


@pytest.mark.parametrize(("needs_gradients", "figure"), [(True, None), (False, 1.0)])
def test_what_is_called_square_is_not_taken_for_ours(
    tmp_path: Path, needs_gradients: bool, figure: float | None
) -> None:
    runs = [
        attacked_run(tmp_path, "AB", attack=pgd()),
        attacked_run(
            tmp_path,
            "ab",
            attack={"_target_": "mypackage.Square", "name": "square", "reach": 0.02},
            traits=AttackTraits(eps=0.02, needs_gradients=needs_gradients),
            key="2",
        ),
    ]
    assert checks(runs)[FREE].figure == figure
    # Nor what is told of it: it may rest on gradients alone itself.
    assert (FREE in checks(runs, of=1)) == needs_gradients
    # Its config has no radius that another run could have twice of.
    assert EPS not in checks(runs, of=1)


def test_an_attack_that_tries_something_without_gradients_asks_for_no_second_run(
    tmp_path: Path,
) -> None:
    target = "oodbench.attacks.autoattack.AutoAttack"
    attack = {"_target_": target, "name": "autoattack", "eps": 0.02, "iterations": 10, "queries": 5}
    run = attacked_run(tmp_path, "AB", attack=attack)
    assert FREE not in checks([run])
    more = attacked_run(tmp_path, "ab", attack={**attack, "iterations": 20}, key="2")
    assert checks([run, more])[MORE].figure == 1.0
    other = attacked_run(tmp_path, "ab", attack={**attack, "queries": 50}, key="3")
    assert checks([run, other])[MORE].verdict == "not checked"
    # But where there is one it is set against it.
    square = attacked_run(tmp_path, "Ab", attack={**SQUARE, "eps": 0.02}, key="4")
    assert checks([run, other, square])[FREE].figure == 1 / 2


def test_what_an_attack_without_a_radius_found_within_that_of_another(tmp_path: Path) -> None:
    attack = {"_target_": "oodbench.attacks.cw.CarliniWagnerL2", "name": "cw_l2", "iterations": 9}
    run = attacked_run(tmp_path, "ABcd", attack=attack, l2=[0, 0, 0.4, 2.0])
    missing = checks([run])[FREE]
    assert missing.verdict == "not checked"
    assert " attack=square attack.norm=l2 attack.eps=3.0 " in missing.command
    # Within 0.5 it has broken c alone; the other one a and c.
    square = {**SQUARE, "norm": "l2", "eps": 0.5}
    other = attacked_run(tmp_path, "aBcD", attack=square, key="2")
    assert checks([run, other])[FREE].figure == 1 / 4
    elsewhere = attacked_run(tmp_path, "abcd", attack={**SQUARE, "eps": 0.5}, key="3")
    assert checks([run, elsewhere])[FREE].verdict == "not checked"


def test_steps_are_looked_for_where_the_attack_says(tmp_path: Path) -> None:
    def run(rounds: int, kept: str) -> RunResult:
        return attacked_run(
            tmp_path,
            kept,
            attack={"_target_": "mypackage.Mine", "name": "mine", "deep": {"rounds": rounds}},
            traits=AttackTraits(steps_key="deep.rounds"),
            key=str(rounds),
        )

    runs = [run(3, "AB"), run(6, "Ab")]
    assert checks(runs)[MORE].figure == 1 / 2
    assert " attack.deep.rounds=60 " in checks(runs, of=1)[MORE].command
    assert STARTS not in checks([replace(runs[0], attack_traits=AttackTraits(uses_seed=False))])


def test_results_from_before_traits_were_stored(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "AB", attack=pgd(early_stop=False))
    file = run.directory / "result.json"
    content = json.loads(file.read_text())
    assert content.pop("attack_traits")["judges_last_iterate"]
    for name in ("schema", "column", "official", "sha256"):
        del content[name]
    content["difference"] = ", ".join(content["difference"])
    file.write_text(json.dumps(content))
    found = read_result(file)
    assert found is not None
    assert found.attack_traits == AttackTraits(eps=0.02, judges_last_iterate=True)
    clean = read_result(store(run_result("clean"), tmp_path) / "result.json")
    assert clean is not None
    assert clean.attack_traits is None


def test_text(tmp_path: Path) -> None:
    attacked_run(tmp_path, "ABCd", attack=pgd(), difference=["attack=pgd_linf"])
    attacked_run(tmp_path, "ABcd", attack=pgd(iterations=20), key="2", demo=True)
    store(run_result("clean"), tmp_path)
    text = report_text(read_results(tmp_path).results)
    first, second = text.split("\n\n")
    lines = first.splitlines()
    assert lines[:4] == [
        "m × adversarial, pgd_linf (attack=pgd_linf)",
        "  4 of 4 pictures, run 1",
        "  accuracy, published rule  75.0 % [30.1, 95.4]  n=4",
        "  accuracy, strict rule     75.0 % [30.1, 95.4]  n=4",
    ]
    after = [f"{k}" for k in range(11)]
    assert lines[4].split() == ["after", "iterations", *after]
    assert lines[5].split()[3:] == ["100.0"] * 2 + ["75.0"] * 9
    assert lines[6].split()[3:] == ["100.0"] * 2 + ["75.0"] * 9
    assert len({len(line) for line in lines[4:7]}) == 1
    assert "  pass         still falling at the last iteration: 0.0 % (warns above 1 %)" in lines
    assert "  not checked  gradient of zero" in lines
    assert f"  not checked  {FREE}" in lines
    assert any(line.startswith(15 * " " + "run: oodbench model=m") for line in lines)
    assert "[Carlini et al. 2019, arXiv:1902.06705]" in first
    assert "4 of 4 pictures, run 2, demo data" in second


def test_a_warning_says_what_it_means(tmp_path: Path) -> None:
    attacked_run(tmp_path, "ABCd", attack=pgd())
    attacked_run(tmp_path, "ABcd", attack=pgd(iterations=20), key="2")
    text = " ".join(report_text(read_results(tmp_path).results).split())
    assert f"warn {MORE}: 25.0 % (warns above 1 %)" in text
    assert "(run 2). The figure is the accuracy under this attack minus that under the" in text


def test_no_attacked_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(run_result("clean"), tmp_path)
    with pytest.raises(DataError, match="no finished run with an attack; run oodbench … attack=…"):
        report_text(read_results(tmp_path).results)
    assert main(["--output-root", str(tmp_path), "--attack-report"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, len(captured.err.splitlines())) == ("", 1)


def test_the_option_shows_and_writes_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attacked_run(tmp_path, "ABCd", attack=pgd())
    assert main(["--output-root", str(tmp_path), "--attack-report"]) == 0
    file = tmp_path / "tables" / "attack_report.txt"
    text = report_text(read_results(tmp_path).results)
    assert capsys.readouterr().out == f"{text}\n{file}\n"
    assert file.read_text("utf-8") == text
    assert (tmp_path / "tables" / "table.md").is_file()
    assert main(["--output-root", str(tmp_path), "--attack-report", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_scoring_again_makes_the_report_again(tmp_path: Path) -> None:
    run = attacked_run(tmp_path, "ABCd", attack=pgd())
    run.config["benchmark"]["protocol"] = {
        "_target_": "oodbench.benchmarks.folder.FolderBenchmark",
        "root": "no/such/folder",
        "n_expected": 4,
        "scores": ["oodbench.metrics.adversarial.adversarial"],
    }
    assert run.attack_report is None
    rescore(run)
    found = read_result(run.directory / "result.json")
    assert found is not None
    assert found.attack_report == report_on(run, 4)
    assert found.attack_report is not None
    assert found.attack_report["checks"][0]["verdict"] == "pass"


def test_each_run_is_read_twice_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for its own report and once for all comparisons."""
    n = 12
    for number in range(n):
        attacked_run(tmp_path, "aBC", attack=pgd(), key=f"{number:02}", seed=number)
    reads: Counter[str] = Counter()
    read = read_attacked

    def counting(directory: Path, *given: Any) -> Any:
        reads[directory.parent.name] += 1
        return read(directory, *given)

    for module in (text_module, second_runs_module):
        monkeypatch.setattr(module, "read_attacked", counting)
    text = report_text(read_results(tmp_path).results)
    assert text.count("with seeds") == n
    assert reads == {f"{number:02}": 2 for number in range(n)}


def test_a_damaged_run_is_named_and_the_others_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        attacked_run(tmp_path, "aBC", attack=pgd(), key=f"{number}", seed=number)
    (damaged,) = tmp_path.glob("runs/*/*/1/records/*.parquet")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 3] ^= 1
    damaged.write_bytes(content)
    assert main(["--output-root", str(tmp_path), "--attack-report"]) == 0
    captured = capsys.readouterr()
    assert [
        line for line in captured.err.splitlines() if f"not reported: {damaged}: damaged" in line
    ]
    assert "Traceback" not in captured.err
    for key, other in (("0", "2"), ("2", "0")):
        assert f"run {key}\n" in captured.out
        assert f"with seeds {key} and {other}" in captured.out
    assert "run 1\n" not in captured.out
