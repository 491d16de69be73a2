"""What is in the run key, and what must not be."""

import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from configs import composed, split
from in_process import make_importable

from oodbench.benchmarks.base import Split
from oodbench.reference import class_lists, imagenet_wnids
from oodbench.runs.key import dataset_fingerprint, key_document, run_key, transfer_document

Overrides = Sequence[str]


def key(
    *overrides: str,
    weights: str | None = "sha256:00",
    splits: Sequence[Split] = (split(),),
    device_type: str = "cpu",
) -> str:
    run = composed("benchmark=imagenet_a", *overrides)
    return run_key(key_document(run, weights=weights, splits=splits, device_type=device_type))


def test_a_key_is_12_hex_digits_of_canonical_json() -> None:
    document = {"b": [1.0, 0.5], "a": {"c": None, "d": True}}
    written_by_hand = '{"a":{"c":null,"d":true},"b":[1,0.5]}'
    assert run_key(document) == sha256(written_by_hand.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    "override",
    [
        "model.name=another",
        "model.family=tf_efficientnet",
        "model.weights.license=other",
        "model.weights.url=https://example.org/other.pth",
        "benchmark.name=another",
        "benchmark.root=elsewhere",
        "benchmark.protocol.n_expected=5",
        "benchmark.protocol.scores=[oodbench.metrics.accuracy.top1]",
        "+benchmark.protocol.headline=top5",
        "benchmark.protocol.inside=[elsewhere]",
        "preprocessing.name=another",
        "engine.name=another",
        "engine.batch_size=3",
        "engine.device=cpu",
        "engine.threads=1",
        "engine.backend._target_=another.Engine",
        "data.root=elsewhere",
        "data.workers=7",
        "data.allow_partial=true",
        "data.on_error=skip",
        "weights.dir=elsewhere",
        "weights.download=false",
        "shard.count=9",
        "limit=5",
        "output_root=elsewhere",
        "seed=4",
    ],
)
def test_what_changes_no_number_is_not_in_the_key(override: str) -> None:
    # The pipeline is fixed, because the published one depends on the family.
    assert key("preprocessing=timm", override) == key("preprocessing=timm")


@pytest.mark.parametrize(
    "override",
    [
        "model.network.architecture=resnet18",
        "+model.network.more=1",
        "model.mean=[0.5,0.5,0.5]",
        "model.std=[0.5,0.5,0.5]",
        "model.classes=imagenet_1k_background",
        "model.classes=imagenet_21k_google",
        "model.outputs=probabilities",
        "model.allow_unstable=true",
        "model.weights.entry=ema",
        "data.deep_pictures=scale",
        "preprocessing.square_crop=true",
        "preprocessing.resize=255",
        "preprocessing.crop=223",
        "preprocessing.resize_after_crop=224",
        "preprocessing.interpolation=bicubic",
        "benchmark.version=2",
        "benchmark.chunk_size=100",
        "benchmark.protocol.classes=imagenet",
        "+benchmark.protocol.positions=even",
        "attack=pgd_linf",
        "attack=pgd_targeted",
    ],
)
def test_what_changes_numbers_is_in_the_key(override: str) -> None:
    assert key(override) != key()


def test_the_precision_is_in_the_key() -> None:
    run = composed()
    one = key_document(run, weights=None, splits=[], device_type="cpu")
    run.engine.precision = "bf16"
    assert run_key(one) != run_key(key_document(run, weights=None, splits=[], device_type="cpu"))


def test_weights_and_data_are_in_the_key() -> None:
    assert key(weights="sha256:01") != key()
    assert key(weights=None) != key()
    assert key(splits=[split("bb")]) != key()
    assert key(splits=[split(), split(name="more")]) != key()


@pytest.mark.parametrize(
    "override",
    ["seed=1", "attack.eps=0.03", "attack.iterations=3", "engine.backend._target_=another.Engine"],
)
def test_an_attack_brings_seed_engine_and_its_arguments_in(override: str) -> None:
    assert key("attack=pgd_targeted", override) != key("attack=pgd_targeted")


def test_with_an_attack_auto_is_eager() -> None:
    eager = key("attack=pgd_targeted", "engine=eager")
    assert key("attack=pgd_targeted", "engine=auto") == eager
    run = composed("attack=pgd_targeted", "engine=auto")
    document = key_document(run, weights=None, splits=[], device_type="cpu")
    # As in the runs from before there were other engines.
    assert document["attack"]["engine"] == "oodbench.engines.eager.EagerEngine"
    assert key("attack=pgd_targeted", "engine=openvino") != eager


@pytest.mark.parametrize("engine", ["auto", "compiled", "openvino", "onnxruntime"])
def test_without_an_attack_all_engines_have_one_key(engine: str) -> None:
    assert key(f"engine={engine}") == key("engine=eager")


def test_only_another_library_that_resizes_is_in_the_key() -> None:
    run = composed("preprocessing=timm", "preprocessing.backend=pil")
    document = key_document(run, weights=None, splits=[], device_type="cpu")
    assert "backend" not in document["preprocessing"]  # as in the runs from before there was one
    usual = key("preprocessing=timm")
    assert key("preprocessing=timm", "~preprocessing.backend") == usual
    assert key("preprocessing=timm", "preprocessing.backend=tensor") != usual


def test_a_class_that_computes_otherwise_than_before_has_a_revision() -> None:
    def revision(*overrides: str) -> int | None:
        run = composed(*overrides)
        document = key_document(run, weights=None, splits=[], device_type="cpu")
        found: int | None = document["attack"].get("revision")
        return found

    assert revision("attack=square", "attack.norm=l2") == 2
    assert revision("attack=square") is None
    assert revision("attack=autoattack") == revision("attack=autoattack", "attack.norm=l2") == 2
    assert revision("attack=pgd_l2") is None


def test_an_attack_brings_the_device_in() -> None:
    assert key("attack=pgd_targeted", device_type="cuda") != key("attack=pgd_targeted")
    assert key(device_type="cuda") == key()


@pytest.mark.parametrize(
    "override",
    [
        "attack.name=another",
        "attack.memory=3",
        "attack.memory=auto",
        "+attack.micro_batch=3",
        "engine.batch_size=3",
        "limit=4",
    ],
)
def test_with_an_attack_names_batch_size_and_limit_stay_out(override: str) -> None:
    assert key("attack=pgd_targeted", override) == key("attack=pgd_targeted")


def test_the_memory_of_a_transferred_attack_stays_out() -> None:
    attack = ["attack=transfer", "model@attack.source=resnet50"]
    assert key(*attack, "attack.attack.memory=2") == key(*attack)
    assert key(*attack, "attack.attack.iterations=2") != key(*attack)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["preprocessing=published"], ["preprocessing=resize256_crop224"]),
        (
            ["preprocessing=square"],
            ["preprocessing=square", "+preprocessing.resize_after_crop=null"],
        ),
        (
            ["preprocessing=squash", "~preprocessing.interpolation"],
            ["preprocessing=squash", "preprocessing.interpolation=bilinear"],
        ),
        (["preprocessing.crop=224"], ["preprocessing.crop=224.0"]),
        (["attack=pgd_targeted", "attack.eps=1"], ["attack=pgd_targeted", "attack.eps=1.0"]),
    ],
)
def test_two_spellings_of_one_thing_have_one_key(one: Overrides, other: Overrides) -> None:
    assert key(*one) == key(*other)


def test_a_class_list_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("\n".join(imagenet_wnids()))
    assert key(f"model.classes={file}") == key()
    file.write_text("\n".join(imagenet_wnids()[::-1]))
    turned = key(f"model.classes={file}")
    assert turned != key()
    assert key(f"model.classes={file.rename(tmp_path / 'other.txt')}") == turned


def test_a_subset_counts_by_its_content(tmp_path: Path) -> None:
    def of(*wnids: str) -> str:
        file = tmp_path / f"{'-'.join(wnids)[:40]}.txt"
        file.write_text("\n".join(wnids))
        return key(f"benchmark.protocol.classes={file}")

    few = imagenet_wnids()[:3]
    assert of(*few) == of(*few[::-1]) != of(*few[:2])
    assert key(f"benchmark.protocol.classes=[{','.join(few)}]") == of(*few)
    assert of(*class_lists()["imagenet_a"][::-1]) == key()
    assert of(*imagenet_wnids()) == key("benchmark.protocol.classes=imagenet")
    run = composed("benchmark=imagenet_a", f"benchmark.protocol.classes=[{','.join(few)}]")
    document = key_document(run, weights=None, splits=[], device_type="cpu")
    digest = sha256(" ".join(few).encode()).hexdigest()
    assert document["benchmark"]["protocol"]["classes"] == f"sha256:{digest}"


@pytest.mark.parametrize(
    "override",
    [
        "benchmark.protocol.readout={_target_:oodbench.readouts.ImageNetASubset}",
        "benchmark.protocol.readout={_target_:oodbench.readouts.Subset,classes:imagenet_a}",
    ],
)
def test_both_spellings_of_the_readout_have_one_key(override: str) -> None:
    assert key(override) == key()


def test_the_document_is_json_and_survives_it() -> None:
    run = composed("benchmark=adversarial")
    document = key_document(run, weights="w", splits=[split()], device_type="cpu")
    assert json.loads(json.dumps(document)) == document


def test_the_fingerprint_takes_names_and_contents_but_no_order_and_no_place() -> None:
    a, b = split("1", "a"), split("2", "b")
    assert dataset_fingerprint([a, b]) == dataset_fingerprint([b, a])
    assert dataset_fingerprint([a, b]) == sha256(b"a\x001\nb\x002\n").hexdigest()
    assert dataset_fingerprint([split("2", "a"), split("1", "b")]) != dataset_fingerprint([a, b])
    assert dataset_fingerprint([split(root=Path("y"), n_expected=9)]) == dataset_fingerprint(
        [split()]
    )


def test_code_of_the_users_is_in_the_part_of_the_key_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_importable(tmp_path, monkeypatch)
    names = ["net", "second", "steps", "folders", "attacking", "engine", "scoring"]
    modules = {name: tmp_path / f"mine_{name}.py" for name in names}
    for file in modules.values():
        file.write_text("class Mine:\n    def __init__(self, **others): pass\n")
    (tmp_path / "mine_scoring.py").write_text("def score(records): return {}")
    overrides = [
        *("model.network={_target_:mine_net.Mine}", "attack=transfer", "model@attack.source=timm"),
        *("attack.source.timm_name=resnet18", "attack.source.network={_target_:mine_second.Mine}"),
        "preprocessing={name:mine,_target_:mine_steps.Mine}",
        "benchmark.protocol={_target_:mine_folders.Mine,root:x,scores:[mine_scoring.score]}",
        "attack.attack={name:mine,_target_:mine_attacking.Mine}",
        "engine.backend={_target_:mine_engine.Mine}",
    ]

    def documents() -> tuple[dict[str, Any], dict[str, Any]]:
        for file in modules.values():
            sys.modules.pop(file.stem, None)  # as in a new process
        run = composed(*overrides)
        known = {"weights": "w", "source_weights": "s"}
        document = key_document(run, splits=[], device_type="cpu", **known)
        return document, transfer_document(document)

    before, made_before = documents()
    assert before["model"]["_code_"].keys() == {"mine_net"}
    assert before["preprocessing"]["_code_"].keys() == {"mine_steps"}
    assert before["benchmark"]["_code_"].keys() == {"mine_folders"}
    assert before["attack"]["_code_"].keys() == {"mine_attacking"}
    assert before["attack"]["source"]["_code_"].keys() == {"mine_second"}
    changed = {}
    for name, file in modules.items():
        text = file.read_text()
        file.write_text(f"{text}\nx = 1\n")
        document, made = documents()
        changed[name] = (document != before, made != made_before)
        file.write_text(text)
    assert changed == {
        **dict.fromkeys(("steps", "attacking", "second"), (True, True)),
        **dict.fromkeys(("net", "folders", "engine"), (True, False)),
        "scoring": (False, False),
    }
