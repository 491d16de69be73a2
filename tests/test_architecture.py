"""The architecture holds: each part on its floor, torch behind its border, a place for each thing.

The imports are read from the statements alone, without importing anything. How it is meant to be:
docs/architecture.md.
"""

import ast
from collections.abc import Iterator
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from oodbench.core import ids

PACKAGE = Path(__file__).parents[1] / "src" / "oodbench"
FLOORS = [
    ["core", "reference"],
    ["models", "preprocessing", "readouts", "metrics"],
    ["attacks", "engines", "data"],
    ["benchmarks"],
    ["runs"],
    ["evaluation", "probe", "sweeps", "reports"],
    ["run", "cli", "api"],
]
"""From the ground up; a part imports from the floors below its own alone."""

FLOOR = {part: number for number, floor in enumerate(FLOORS) for part in floor}
TORCH = {"torch", "torchvision", "timm"}
WITHOUT_TORCH = (
    *("core", "reference", "metrics", "readouts", "preprocessing", "data", "benchmarks"),
    *("runs", "reports", "run", "cli", "api"),
)
"""Parts that a skipped run or a table passes through: seconds are lost where torch is imported."""

ENTRIES = {"__init__", "__main__"}
CONF = PACKAGE.parents[1] / "conf"
FROZEN = [
    "oodbench.preprocessing.Preprocessing",
    "oodbench.readouts.Standard",
    "oodbench.readouts.ImageNetASubset",
    "oodbench.readouts.ShapeCategories",
    "oodbench.benchmarks.folder.FolderBenchmark",
    "oodbench.benchmarks.trees.ImageNetC",
    "oodbench.benchmarks.trees.ImageNetP",
    "oodbench.benchmarks.cue_conflict.CueConflict",
    "oodbench.benchmarks.generated.ImageNetCGenerated",
    "oodbench.benchmarks.generated_clips.ImageNetPGenerated",
    "oodbench.attacks.apgd.APGD",
    "oodbench.attacks.autoattack.AutoAttack",
    "oodbench.attacks.cw.CarliniWagnerL2",
    "oodbench.attacks.foolbox.FoolboxAttack",
    "oodbench.attacks.pgd.PGD",
    "oodbench.attacks.pgd.FGSM",
    "oodbench.attacks.pgd_targeted.TargetedPGD",
    "oodbench.attacks.square.Square",
    "oodbench.attacks.torchattacks.TorchAttack",
    "oodbench.attacks.transfer.Transfer",
    "oodbench.engines.auto.AutoEngine",
    "oodbench.engines.compiled.CompiledEngine",
    "oodbench.engines.eager.EagerEngine",
    "oodbench.engines.onnxruntime.ONNXRuntimeEngine",
    "oodbench.engines.openvino.OpenVINOEngine",
    "oodbench.models.networks.timm_network",
    "oodbench.models.networks.torchvision_network",
    "oodbench.models.networks.resnext101_wsl",
    "oodbench.models.networks.function_network",
    "oodbench.models.huggingface.transformers_network",
    "oodbench.models.onnx_network.onnx_network",
    "oodbench.metrics.accuracy.top1",
    "oodbench.metrics.accuracy.imagenet_a",
    "oodbench.metrics.calibration.calibration",
    "oodbench.metrics.adversarial.adversarial",
]
"""Names in keys, caches, results and users' configs from before there was a table of ids."""

LARGEST = 25
"""Most files of a package that one can still survey."""


def modules() -> dict[str, Path]:
    """Dotted name below `oodbench` -> file; a package by its own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imported(node: ast.stmt) -> Iterator[str]:
    """Dotted names that a statement imports, those of names in a package among them."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def anywhere(module: str) -> Iterator[str]:
    """What a module imports, in functions too."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.stmt):
            yield from imported(node)


def at_import(module: str) -> Iterator[str]:
    """What a module imports when it is imported itself."""
    waiting: list[ast.AST] = [tree_of(module)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.stmt):
            yield from imported(node)
        waiting += ast.iter_child_nodes(node)


def own(names: Iterator[str]) -> set[str]:
    """Those of the imported names that are modules of oodbench, without the prefix."""
    below = {name.removeprefix("oodbench.") for name in names if name.startswith("oodbench.")}
    return below & set(MODULES)


@cache
def loads(module: str) -> frozenset[str]:
    """The modules of oodbench that importing one loads, itself and the packages above included."""
    loaded: set[str] = set()
    waiting = [module]
    while waiting:
        found = waiting.pop()
        if found not in loaded:
            loaded.add(found)
            waiting += [*own(at_import(found)), *filter(None, [found.rpartition(".")[0]])]
    return frozenset(loaded)


def part_of(module: str) -> str:
    return module.partition(".")[0]


def upward() -> list[str]:
    """Imports of a part of the same floor or of one above, by name."""
    return [
        f"{module} imports {other}"
        for module in MODULES
        if module not in ENTRIES
        for other in sorted(own(anywhere(module)))
        if part_of(other) != part_of(module) and FLOOR[part_of(other)] >= FLOOR[part_of(module)]
    ]


def test_every_part_has_its_floor() -> None:
    assert {part_of(module) for module in MODULES} - ENTRIES == set(FLOOR)


def test_no_part_imports_one_of_its_own_floor_or_of_one_above() -> None:
    assert upward() == []


def test_a_part_that_looks_upward_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "files.py"
    file.write_text("def f() -> None:\n    from oodbench.runs.plan import Plan\n")
    monkeypatch.setitem(MODULES, "core.upward", file)
    assert upward() == ["core.upward imports runs.plan"]


@pytest.mark.parametrize("part", WITHOUT_TORCH)
def test_torch_is_not_reached_at_import(part: str) -> None:
    reached = [
        f"{module} through {other}: {name}"
        for module in MODULES
        if part_of(module) == part
        for other in loads(module)
        for name in at_import(other)
        if part_of(name) in TORCH
    ]
    assert reached == []


def test_the_border_of_torch_is_seen() -> None:
    assert "torch" in {part_of(name) for name in at_import("attacks.pgd")}
    assert "attacks.base" in loads("attacks.pgd")


def test_argparse_occurs_in_cli_alone() -> None:
    users = {part_of(module) for module in MODULES if "argparse" in anywhere(module)}
    assert users == {"cli"}


def test_hydra_s_inside_is_used_in_one_place() -> None:
    users = [
        module
        for module in MODULES
        if any(name.startswith("hydra._internal") for name in anywhere(module))
    ]
    assert users == ["sweeps.jobs"]


def test_nothing_imports_a_command() -> None:
    users = [
        module
        for module in MODULES
        if module not in ENTRIES
        and part_of(module) != "cli"
        and any(part_of(other) in ("cli", "run", "api") for other in own(anywhere(module)))
    ]
    assert users == []


def test_the_top_of_the_package_holds_five_modules() -> None:
    top = {path.stem for path in PACKAGE.glob("*.py")}
    assert top == {"__init__", "__main__", "run", "api", "preprocessing", "readouts"}


def test_a_package_can_be_overlooked() -> None:
    folders = [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]
    crowded = {
        str(folder.relative_to(PACKAGE)): count
        for folder in folders
        if (count := len(list(folder.glob("*.py")))) > LARGEST
    }
    assert crowded == {}


def names_in(value: Any, kind: str) -> Iterator[tuple[str, str]]:
    """(kind, dotted name) of all targets and scores of a config node."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item, kind)
    elif isinstance(value, dict):
        if ids.TARGET in value:
            yield kind, value[ids.TARGET]
        for name, item in value.items():
            if name == ids.SCORES:
                yield from (("score", score) for score in item)
            else:
                yield from names_in(item, "readout" if name == "readout" else kind)


def names_in_configs() -> set[tuple[str, str]]:
    """Those of conf/, without what Hydra itself builds."""
    found: set[tuple[str, str]] = set()
    for path in sorted(CONF.rglob("*.yaml")):
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        kind = "network" if path.parent.name == "model" else path.parent.name
        found |= set(names_in({k: v for k, v in content.items() if k != "hydra"}, kind))
    return found


def all_ids() -> dict[str, ids.Place]:
    return {name: place for entries in ids.table().values() for name, place in entries.items()}


def test_what_the_configs_name_stands_in_the_table_of_ids() -> None:
    named = names_in_configs()
    assert {kind for kind, _ in named} == set(ids.table())
    assert [name for kind, name in sorted(named) if not ids.is_known(kind, name)] == []


def test_no_id_is_ever_lost() -> None:
    assert set(FROZEN) - set(all_ids()) == set()


@pytest.mark.parametrize("name", all_ids())
def test_an_id_leads_to_what_can_be_imported(name: str) -> None:
    place = all_ids()[name]
    found = get_object(place.name)
    assert callable(found)
    assert set(place.arguments) <= set(signature(found).parameters)


def test_an_id_and_what_it_stands_for_are_one_to_one() -> None:
    places = all_ids()
    stand_for = [repr((place.name, sorted(place.arguments.items()))) for place in places.values()]
    assert len(set(stand_for)) == len(places)
    passed_on = [p.name for p in places.values() if places.get(p.name, p).name != p.name]
    assert passed_on == []


def test_general_code_knows_no_attack_and_no_engine_by_name() -> None:
    targets = {
        line.split()[1]
        for group in ("attack", "engine")
        for file in (PACKAGE.parents[1] / "conf" / group).glob("*.yaml")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("_target_:")
    }
    names = targets | {target.rpartition(".")[2] for target in targets}
    assert {"oodbench.attacks.square.Square", "Square", "EagerEngine"} <= names
    known = [
        f"{module}: {node.value}"
        for module in MODULES
        if part_of(module) not in ("attacks", "engines")
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    known += [
        f"{module} imports {name}"
        for module in MODULES
        if part_of(module) not in ("attacks", "engines")
        for name in anywhere(module)
        if name in targets
    ]
    assert known == []
