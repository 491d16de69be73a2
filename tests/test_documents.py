"""README, CONTRIBUTING and docs/: commands run or at least parse, links lead somewhere.

A block marked `sh` is really run, one after the other in one folder with a part of the demo data.
One with a mark, such as `sh needs-data`, needs more than a test has: there the overrides of every
command line compose to a valid config, and its options are parsed.
"""

import configparser
import contextlib
import io
import json
import re
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import call
from documents import LANGUAGES, MARKS, PAGES, ROOT, Block, all_blocks, anchors, links, prose
from hydra._internal.utils import get_args_parser
from toys import Cli

from oodbench.cli import (
    check,
    compare,
    data,
    errors,
    models,
    plan,
    probe,
    report,
    status,
    submit,
    table,
)
from oodbench.core.schema import validate
from oodbench.data.demo.plan import demo_data_sets
from oodbench.data.demo.sources import sources_folder
from oodbench.readouts import ShapeCategories, Subset
from oodbench.sweeps.jobs import Launch

README = ROOT / "README.md"
LONGEST_README = 160
COMPOSED = 6
"""Jobs up to which all of a sweep are composed; of a longer one the first and the last."""

GENERIC = {"checkpoint", "onnx", "open_clip", "timm", "torchvision", "transformers"} | {
    "transformers_clip"
}
"""Models that need a key of their own: in a sweep over all they fail alone, as the pages say."""

DEMO = ("imagenet", "imagenet-a")
"""Demo data sets that the commands read."""

SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PROGRAMS = dict(
    line.split(" = ") for line in SETUP["options.entry_points"]["console_scripts"].split("\n")[1:]
)
"""Console scripts: name -> `module:function`."""

BLOCKS = all_blocks()
WITH_COMMANDS = [block for block in BLOCKS if block.commands]
RUN = [block for block in WITH_COMMANDS if block.argument == ""]
MARKED = [block for block in WITH_COMMANDS if block.argument != ""]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder as the current one: the files of the recipes, two models of transformers."""
    files = {block.argument: block.text for block in BLOCKS if block.language in ("python", "yaml")}
    facts = {
        "config.json": '{"model_type": "vit", "num_labels": 1000}',
        "preprocessor_config.json": '{"size": 224, "resample": 2, '
        '"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}',
        "model.safetensors": "",
    }
    files |= {f"google/vit-base-patch16-224/{name}": text for name, text in facts.items()}
    facts |= {"tokenizer.json": "{}", "config.json": '{"model_type": "clip"}'}
    files |= {f"openai/clip-vit-base-patch32/{name}": text for name, text in facts.items()}
    for name, text in files.items():
        if name:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_blocks_say_what_they_are(block: Block) -> None:
    assert block.language in LANGUAGES
    if block.commands:
        assert block.argument in ("", *MARKS)


def test_every_way_to_check_a_command_is_there() -> None:
    assert {block.argument for block in WITH_COMMANDS} == {"", *MARKS}
    used = {words[0] for block in WITH_COMMANDS for words in block.commands}
    assert used == set(CHECKS)
    assert {words[0] for block in RUN for words in block.commands} <= set(PROGRAMS)


@pytest.mark.slow
@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("block", MARKED, ids=lambda block: block.place)
def test_commands_that_need_more_are_right_as_far_as_one_sees(block: Block) -> None:
    for program, *arguments in block.commands:
        CHECKS[program](arguments)


def check_run(arguments: Sequence[str]) -> None:
    given = get_args_parser().parse_args(list(arguments))
    check_jobs(given.overrides, multirun=given.multirun, config_dir=given.config_dir)


def check_plan(arguments: Sequence[str]) -> None:
    given = plan.argument_parser().parse_intermixed_args(list(arguments))
    check_jobs(given.overrides, multirun=given.multirun, config_dir=given.config_dir)


def check_jobs(overrides: Sequence[str], *, multirun: bool, config_dir: str | None) -> None:
    folder = None if config_dir is None else Path(config_dir)
    launch = Launch(overrides, multirun=multirun, config_dir=folder)
    assert launch.jobs
    few = len(launch.jobs) <= COMPOSED
    for job in launch.jobs if few else (launch.jobs[0], launch.jobs[-1]):
        if not {f"model={name}" for name in GENERIC} & set(job) or len(launch.jobs) == 1:
            validate(launch.config(job))


def check_probe(arguments: Sequence[str]) -> None:
    shown = call(probe.main, [*arguments, "--cfg", "job", "--resolve"], folder=Path.cwd())
    assert shown.returncode == 0, shown.stderr


def check_options(parser: Callable[[], ArgumentParser], arguments: Sequence[str]) -> None:
    parser().parse_args(list(arguments))


def check_models(arguments: Sequence[str]) -> None:
    given = models.argument_parser().parse_args(list(arguments))
    for name in (word for word in given.words if "=" not in word):
        assert (ROOT / "conf" / "model" / f"{name}.yaml").is_file()


def check_submit(arguments: Sequence[str]) -> None:
    given = submit.argument_parser().parse_args(list(arguments))
    assert Launch(given.overrides, multirun=True).jobs


def check_make(arguments: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(arguments) <= set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))


def check_pip(arguments: Sequence[str]) -> None:
    asked = {name for word in arguments for name in re.findall(r"\[(.*)\]", word)}
    assert {extra for names in asked for extra in names.split(",")} <= set(
        SETUP["options.extras_require"]
    )
    if "-c" in arguments:
        assert (ROOT / arguments[arguments.index("-c") + 1]).is_file()


def check_script(arguments: Sequence[str]) -> None:
    script = (ROOT / arguments[0]).read_text(encoding="utf-8")
    options = [word for word in arguments[1:] if word.startswith("--")]
    assert [option for option in options if f'"{option}"' not in script] == []


CHECKS: dict[str, Callable[[Sequence[str]], None]] = {
    "oodbench": check_run,
    "oodbench-check": partial(check_options, check.argument_parser),
    "oodbench-compare": partial(check_options, compare.argument_parser),
    "oodbench-data": partial(check_options, data.argument_parser),
    "oodbench-errors": partial(check_options, errors.argument_parser),
    "oodbench-models": check_models,
    "oodbench-plan": check_plan,
    "oodbench-probe": check_probe,
    "oodbench-report": partial(check_options, report.argument_parser),
    "oodbench-status": partial(check_options, status.argument_parser),
    "oodbench-submit": check_submit,
    "oodbench-table": partial(check_options, table.argument_parser),
    "make": check_make,
    "pip": check_pip,
    "python": check_script,
    "measurements/gpu.sh": lambda arguments: check_script(["measurements/gpu.sh", *arguments]),
}
"""By the first word of a command line."""

RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
LOGITS = np.zeros((1, 1000), dtype=np.float32)


@pytest.mark.slow
def test_all_other_commands_run_and_say_what_the_pages_show(tmp_path: Path) -> None:
    write_demo_data(tmp_path / "demo-data")
    for block in RUN:
        for program, *arguments in block.commands:
            module, _, function = PROGRAMS[program].partition(":")
            done = call(getattr(import_module(module), function), arguments, folder=tmp_path)
            assert done.returncode == 0, f"{block.place}: {done.stdout}{done.stderr}"
            shown = [] if len(block.commands) > 1 else block.output.splitlines()
            said = without_numbers(done.stdout).splitlines()
            assert [line for line in map(without_numbers, shown) if line not in said] == []


def write_demo_data(folder: Path) -> None:
    for data_set in demo_data_sets():
        if data_set.name in DEMO:
            for file in data_set.files:
                file.write(sources_folder(), folder / file.path)


def test_the_recipe_that_reads_all_records_works_on_finished_runs(toy: Path, cli: Cli) -> None:
    """Beside one that was interrupted, and what else lies in the folders of runs."""
    usual = ("model=toy", "preprocessing=timm", "engine=eager")
    assert cli(*usual, "limit=20").returncode == 0
    assert cli(*usual, "benchmark=adversarial", "limit=4").returncode == 0
    assert cli(*usual, "attack=square", "attack.queries=2", "limit=4").returncode == 0
    assert cli(*usual, "seed=1", "model.name=failed", "data.root=nowhere").returncode == 1
    (block,) = [block for block in BLOCKS if block.info == "python" and "pd.concat" in block.text]
    known: dict[str, Any] = {}
    with contextlib.chdir(toy), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block.text, known)
    assert "adversarial" in printed.getvalue()
    records = known["records"]
    results = [json.loads(path.read_text()) for path in toy.glob("outputs/runs/*/*/*/result.json")]
    assert len(results) == 3
    for result in results:
        rows = records[records["key"] == result["key"]]
        assert len(rows) == result["n_images"]
        assert set(rows["benchmark"]) == {result["benchmark"]}
        assert set(rows["model"]) == {"toy"}
        if "top1" in result["scores"][""]:
            assert rows["correct"].mean() == result["scores"][""]["top1"]["value"]
    fish = records[records["image"].str.startswith("n01440764/")]
    assert fish["class"].str.startswith("tench").all()
    described = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", RESULTS, re.MULTILINE)))
    added = {"benchmark", "model", "key", "correct", "class"}
    written = set(records.columns) - added | set(Subset(classes="imagenet_a")(LOGITS))
    assert written | set(ShapeCategories()(LOGITS)) <= set(described)


def without_numbers(text: str) -> str:
    """What does not depend on the versions of libraries: no numbers, no run keys."""
    return re.sub(r"\b[0-9a-f]{12}\b|\d+(\.\d+)?| {2,}", "#", text)


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_readme_links_every_page_and_its_table_has_every_command() -> None:
    linked = {(ROOT / target).resolve() for target, _ in links(README) if target}
    assert set(PAGES) - {README} <= linked
    rows = re.findall(r"^\| `(oodbench[\w-]*)` \|", prose(README), re.MULTILINE)
    assert sorted(rows) == sorted(PROGRAMS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target, anchor in links(page):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES[2:], ids=lambda page: page.name)
def test_pages_begin_with_one_sentence_on_what_they_answer(page: Path) -> None:
    title, answer, _ = page.read_text(encoding="utf-8").split("\n\n", maxsplit=2)
    assert title.startswith("# ")
    assert re.fullmatch(r"[^.?]+[.?]", answer)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conf").glob("*/*.yaml")), ids=lambda path: path.stem
)
def test_every_shipped_config_is_named(path: Path) -> None:
    named = re.compile(rf"\b{path.stem}\b")
    pages = [prose(page) for page in PAGES if page.parent.name == "docs"]
    assert any(named.search(page) for page in pages)


def test_files_that_pages_name_exist() -> None:
    for page in PAGES:
        text = prose(page)
        for name in re.findall(r"`((?:src|conf|tests|measurements)/[a-z\d_/]+\.\w+)`", text):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"
