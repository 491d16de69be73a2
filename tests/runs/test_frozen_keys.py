"""Keys that no move changes: documents as the runs on disk have them, and classes that moved.

golden_keys.json was written by the code from before there was a table of ids: one document a
benchmark, one an attack family. It is not to be made anew; a key that differs from it orphans every
run on disk.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from configs import composed, split
from in_process import make_importable

from oodbench.core import ids
from oodbench.core.building import build
from oodbench.core.ids import Place
from oodbench.core.schema import RunConfig
from oodbench.runs.key import key_document, run_key, transfer_document

REVISED = {"attack=autoattack": 2}
"""What computes otherwise since then, see `oodbench.reference.revisions`."""

ARGUMENTS_GIVEN = ("attack=torchattacks", "attack=foolbox")
"""Whose config carried arguments then, which are given on the command line now."""

GOLDEN = json.loads(Path(__file__).with_name("golden_keys.json").read_text(encoding="utf-8"))
SHIPPED = ids.table()


def document_of(run: RunConfig) -> dict[str, Any]:
    source = "s" if "source" in run.attack else None
    return key_document(
        run, weights="w", splits=[split()], device_type="cpu", source_weights=source
    )


def configured(choice: str) -> RunConfig:
    """The config of a name in golden_keys.json; that of `adversarial` brings its attack."""
    return composed(*choice.split())


@pytest.mark.parametrize("choice", GOLDEN)
def test_documents_are_those_of_the_runs_on_disk(choice: str) -> None:
    golden = GOLDEN[choice]
    run = configured(choice)
    if choice in ARGUMENTS_GIVEN:
        run.attack["arguments"] = golden["document"]["attack"]["arguments"]
    document = document_of(run)
    found = json.loads(json.dumps(document))
    if choice in REVISED:
        assert run_key(document) != golden["key"]
        assert found["attack"].pop("revision") == REVISED[choice]
        assert found == golden["document"]
        return
    assert found == golden["document"]
    assert run_key(document) == golden["key"]
    if "transfer" in golden:
        assert run_key(transfer_document(document)) == golden["transfer"]


def test_every_benchmark_and_every_attack_family_is_there() -> None:
    text = json.dumps([golden["document"] for golden in GOLDEN.values()])
    for kind in ("benchmark", "attack"):
        assert [name for name in SHIPPED[kind] if f'"{name}"' not in text] == []
    shipped = {path.stem for path in (Path(__file__).parents[2] / "conf/benchmark").glob("*.yaml")}
    assert {f"benchmark={name}" for name in shipped} <= set(GOLDEN)


@pytest.fixture
def moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Place]:
    """Everything lives in another module now; by id, where."""
    kept = {name: place for entries in SHIPPED.values() for name, place in entries.items()}
    lines = []
    for place in {place.name for place in kept.values()}:
        module, _, name = place.rpartition(".")
        lines.append(f"from {module} import {name} as _{name}\n")
        is_class = name[0].isupper()
        lines.append(f"class {name}(_{name}): pass\n" if is_class else f"{name} = _{name}\n")
    (tmp_path / "new_home.py").write_text("".join(lines))
    make_importable(tmp_path, monkeypatch)
    table = {
        kind: {
            name: replace(place, name=f"new_home.{place.name.rpartition('.')[2]}")
            for name, place in entries.items()
        }
        for kind, entries in SHIPPED.items()
    }
    monkeypatch.setattr(ids, "table", lambda: table)
    return {name: place for entries in table.values() for name, place in entries.items()}


def respelled(value: Any, places: dict[str, Place]) -> Any:
    """With the new places spelled out instead of the ids."""
    if isinstance(value, list):
        return [respelled(item, places) for item in value]
    if isinstance(value, dict):
        node = {key: respelled(item, places) for key, item in value.items()}
        if (target := value.get("_target_")) in places:
            node |= {"_target_": places[target].name, **places[target].arguments}
        return node
    return value


def respelled_run(run: RunConfig, places: dict[str, Place]) -> RunConfig:
    run.model.network = respelled(run.model.network, places)
    run.benchmark.protocol = respelled(run.benchmark.protocol, places)
    run.preprocessing = respelled(run.preprocessing, places)
    run.attack = respelled(run.attack, places)
    run.engine.backend = respelled(run.engine.backend, places)
    return run


@pytest.mark.parametrize(
    "choice",
    [
        "benchmark=imagenet_a",  # a readout inside the protocol
        "benchmark=imagenet_c_generated",
        "attack=pgd_targeted",
        "attack=transfer model@attack.source=efficientnet_lite1",  # an attack and a network in it
    ],
)
def test_a_class_that_moves_keeps_its_keys(choice: str, moved: dict[str, Place]) -> None:
    by_id = document_of(configured(choice))
    assert json.loads(json.dumps(by_id)) == GOLDEN[choice]["document"]
    by_place = document_of(respelled_run(configured(choice), moved))
    assert by_place == by_id


def test_what_moved_is_built_from_both_spellings(moved: dict[str, Place]) -> None:
    for run in (
        composed("benchmark=imagenet_a", "attack=pgd_linf"),
        respelled_run(composed("benchmark=imagenet_a", "attack=pgd_linf"), moved),
    ):
        protocol = build(run.benchmark.protocol, "benchmark.protocol")
        attack = build(run.attack, "attack")
        pixels = build(run.preprocessing, "preprocessing")
        for part in (protocol, protocol.readout, attack, pixels):
            assert type(part).__module__ == "new_home"
    old_spelling = {"_target_": "oodbench.readouts.ImageNetASubset"}
    assert len(build(old_spelling, "readout").indices) == 200
