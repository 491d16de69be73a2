"""Whose code a config names, and whether it is the same."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import make_importable

from oodbench.core.errors import ConfigError
from oodbench.core.own_code.identity import Identities, code_field, identities, unknown_code

SHIPPED = {
    "_target_": "oodbench.models.networks.timm_network",
    "architecture": "resnet50.tv_in1k",
    "file": "weights.pth",
    "range": "0.5",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that Python imports from; what it has imported is forgotten."""
    make_importable(tmp_path, monkeypatch)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(target: str) -> Identities:
    return identities({"_target_": target})


def test_code_of_oodbench_python_and_dependencies_has_no_identity() -> None:
    names = ["torch.nn.Linear", "hydra.utils.get_object", "functools.partial", "builtins.dict"]
    # of extras, and of what these require
    names += ["foolbox.attacks.L2PGD", "sympy.sympify", "PIL.Image.open", "sklearn.svm.SVC"]
    assert [name for name in names if found(name)] == []
    assert code_field({"a": [SHIPPED, *({"_target_": name} for name in names)]}, None) == {}
    assert code_field(SHIPPED, "mine") == {}


def test_a_module_counts_wherever_it_is_named(here: Path) -> None:
    write(here / "mine.py", "def f(): return 1")
    known = found("mine.f")
    assert list(known) == ["mine"]
    assert known["mine"] is not None
    for node in (
        {"_target_": "oodbench.models.networks.function_network", "function": "mine.f"},
        {"_target_": "hydra.utils.get_method", "path": "mine.f"},
        {"outer": [{"inner": {"_target_": "mine.f"}}]},
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "mine.Net"}]},
        {"_target_": "oodbench.x.y", "loader": "mine:f"},
    ):
        assert identities(node) == known
    assert identities({"_target_": "oodbench.x.y", "text": "of mine.f", "n": 1, "o": "mine"}) == {}


def test_all_files_of_a_package_count_and_nothing_else(here: Path) -> None:
    files = ["mine/__init__.py", "mine/net.py", "mine/deep/down.py"]
    for file in files:
        write(here / file, "x = 1")
    known = found("mine.net.Net")
    assert list(known) == ["mine"]
    for file in files:
        write(here / file, "x = 2")
        assert found("mine.net.Net") != known
        write(here / file, "x = 1  # one")
        assert found("mine.net.Net") == known
    write(here / "mine" / "notes.txt", "…")
    write(here / "mine" / "__pycache__" / "old.py", "x = 2")
    write(here / "other.py", "x = 2")
    assert found("mine.net.Net") == known
    write(here / "mine" / "more.py", "x = 1")
    assert found("mine.net.Net") != known


def test_a_package_is_the_same_in_another_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("a", "b"):
        write(here / place / "mine" / "__init__.py", "x = 1")
    seen = []
    for place in ("a", "b"):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(here / place)
            seen.append(found("mine.x"))
    assert seen[0] == seen[1]


def test_code_that_it_imports_counts(here: Path) -> None:
    write(here / "mine.py", "import torch, layers\nfrom data.loading import load\nimport nowhere")
    write(here / "layers.py", "def f():\n    import mine, inner")  # in a circle
    write(here / "inner.py", "x = 1")
    write(here / "data" / "loading.py", "x = 1")  # its folder is no package
    write(here / "data" / "unused.py", "x = 1")
    known = found("mine.Net")
    for file in ("layers.py", "inner.py", "data/loading.py"):
        before = (here / file).read_text()
        write(here / file, before + "\ny = 2")
        assert found("mine.Net") != known, file
        write(here / file, before)
    write(here / "data" / "unused.py", "x = 2")
    assert found("mine.Net") == known


def test_a_module_in_a_folder_that_is_no_package(here: Path) -> None:
    write(here / "models" / "net.py", "x = 1")
    write(here / "models" / "other.py", "x = 1")
    known = found("models.net.Net")
    assert list(known) == ["models.net"]
    write(here / "models" / "other.py", "x = 2")
    assert found("models.net.Net") == known
    write(here / "models" / "net.py", "x = 2")
    assert found("models.net.Net") != known
    assert identities({"_target_": "oodbench.x.y", "file": "models.pth"}) == {}


def test_relative_imports_count_where_the_folders_are_no_packages(here: Path) -> None:
    write(here / "models" / "net.py", "from .blocks import B\nfrom ..shared import C")
    for file in ("models/blocks/__init__.py", "models/deep/inner.py", "shared.py"):
        write(here / file, "x = 1")
    write(here / "models" / "blocks" / "more.py", "def f():\n    from ..deep import inner")
    known = found("models.net.Net")
    for file in ("models/blocks/__init__.py", "models/deep/inner.py"):
        write(here / file, "x = 2")
        assert found("models.net.Net") != known, file
        write(here / file, "x = 1")
    assert found("models.net.Net") == known


def test_of_an_installed_package_the_version_counts(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = here / "site-packages"
    monkeypatch.syspath_prepend(site)
    write(site / "foreign.py", "x = 1")
    write(site / "loose.py", "x = 1")
    write(site / "Their_Nets-1.5.dist-info" / "METADATA", "Name: Their.Nets\nVersion: 1.5\n")
    write(site / "Their_Nets-1.5.dist-info" / "top_level.txt", "foreign\n")
    write(here / "mine.py", "import foreign")
    importlib.invalidate_caches()
    assert found("foreign.Net") == {"foreign": "their-nets 1.5"}
    mine, loose = found("mine.Net"), found("loose.Net")
    write(site / "foreign.py", "x = 2")
    assert found("foreign.Net") == {"foreign": "their-nets 1.5"}
    assert found("mine.Net") == mine
    write(site / "loose.py", "x = 2")  # in no distribution
    assert found("loose.Net") != loose


def test_without_source_it_is_unknown(here: Path) -> None:
    write(here / "compiled.pyc", "")
    for name in ("compiled", "missing"):
        field = code_field({"a": {"_target_": f"{name}.Net"}}, None)
        assert list(field["_code_"].values()) == [None]
        assert len(unknown_code({"model": [field]})) == 1
    assert unknown_code({"model": code_field({"_target_": "missing.Net"}, "mine")}) == []


def test_a_name_given_by_the_user_stands_for_all_of_it(here: Path) -> None:
    write(here / "mine.py", "x = 1")
    assert code_field({"_target_": "mine.Net"}, "v1") == {"_code_": "v1"}


def test_a_package_linked_into_another_counts_once(here: Path) -> None:
    write(here / "elsewhere" / "inner.py", "x = 1")
    write(here / "mine" / "__init__.py", "")
    (here / "mine" / "linked").symlink_to(here / "elsewhere")
    (here / "mine" / "itself").symlink_to(here / "mine")
    known = found("mine.Net")
    write(here / "elsewhere" / "inner.py", "x = 2")
    assert found("mine.Net") != known


def test_code_that_changes_once_it_is_imported_is_refused(here: Path) -> None:
    write(here / "changing.py", "x = 1")
    known = found("changing.Net")
    write(here / "changing.py", "x = 20")
    changed = found("changing.Net")
    assert changed != known
    module = importlib.import_module("changing")
    assert found("changing.Net") == changed
    write(here / "changing.py", "x = 300")
    with pytest.raises(ConfigError, match=r"changing: its code, .* has changed .*: start again"):
        found("changing.Net")
    importlib.reload(module)
    assert found("changing.Net") != changed
