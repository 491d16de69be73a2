"""`oodbench-models`, with a Hugging Face hub and a web server that run here."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save

from oodbench.cli.models import main
from oodbench.reference import read_table

SAFETENSORS = save(timm.create_model("test_resnet").state_dict())
COMMIT = "0123456789abcdef0123456789abcdef01234567"

MINE = """# A tiny network.
# For tests.
name: mine
parameters: {parameters}
network:
  _target_: oodbench.models.networks.timm_network
  architecture: test_resnet
weights:
  {source}
  license: mit
"""


class HubHandler(BaseHTTPRequestHandler):
    """What huggingface.co answers to the two requests of a download."""

    answered: list[str]

    def do_HEAD(self) -> None:
        self._headers()

    def do_GET(self) -> None:
        self._headers()
        self.wfile.write(SAFETENSORS)

    def _headers(self) -> None:
        known = self.path.startswith("/timm/test_resnet.tag/resolve/main/model.safetensors")
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(SAFETENSORS).hexdigest()}"')
        self.send_header("Content-Length", str(len(SAFETENSORS) if known else 0))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def serve(handler: object) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub() -> Iterator[str]:
    yield from serve(HubHandler)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    yield from serve(partial(QuietFiles, directory=str(tmp_path / "served")))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OODBENCH_WEIGHTS", raising=False)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    return tmp_path


def mine(folder: Path, source: str, parameters: float | None = None) -> None:
    count = sum(p.numel() for p in timm.create_model("test_resnet").parameters()) / 1e6
    text = MINE.format(source=source, parameters=parameters or round(count, 4))
    (folder / "conf" / "model" / "mine.yaml").write_text(text)


def models(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the hub's library reads its variables once."""
    return subprocess.run(
        [sys.executable, "-m", "oodbench.cli.models", *arguments, "--config-dir", "conf"],
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "hf"), "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_list_has_every_published_model_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--published"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:26]] == [
        row["model"] for row in read_table("published_order.csv")
    ]
    # 25.557 million parameters of four bytes.
    (resnet,) = [line for line in lines if line.startswith("resnet50 ")]
    assert resnet.split() == [
        *("resnet50", "25.6", "M", "224", "px", "bsd-3-clause", "about", "102", "MB", "missing")
    ]


def test_details_name_source_hash_and_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--details", "tf_efficientnet_b5"]) == 0
    out = capsys.readouterr().out
    for part in (
        "https://huggingface.co/timm/tf_efficientnet_b5.ra_in1k",
        "tf_efficientnet_b5_ra-9a3e5369.pth",
        "sha256:9a3e5369",
        "apache-2.0",
        "30.39 million",
    ):
        assert part in out


def test_check_of_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "efficientnet_lite0", "resnet50"]) == 1
    lite, resnet, counts = capsys.readouterr().out.splitlines()
    assert lite.startswith("efficientnet_lite0  ok  ")
    assert "sha256 579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db" in lite
    assert resnet.startswith("resnet50  missing  put resnet50.tv_in1k.safetensors (https://")
    assert counts == "1 ok, 1 missing, 0 wrong"


def test_check_finds_wrong_hash_wrong_size_and_wrong_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "net.safetensors").write_bytes(SAFETENSORS)
    check = ["check", "mine", "--config-dir", "conf"]
    mine(folder, "file: net.safetensors")
    assert main(check) == 0
    mine(folder, "file: net.safetensors\n  hash: sha256:00000000")
    assert main(check) == 1
    mine(folder, "file: net.safetensors", parameters=7.5)
    assert main(check) == 1
    torch.save({"head.weight": torch.zeros(2, 2)}, folder / "net.safetensors.pth")
    mine(folder, "file: net.safetensors.pth")
    assert main(check) == 1
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine")]
    for line, part in zip(
        found,
        ("mine  ok", "expected sha256 00000000", "parameters=7.5 million", "does not fit"),
        strict=True,
    ):
        assert part in line


def test_check_shows_entries_prefixes_and_shards(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    state = timm.create_model("test_resnet").state_dict()
    check = ["check", "mine", "--config-dir", "conf"]
    two = {"model": state, "model_ema": state}
    torch.save(two, folder / "two.pth")
    mine(folder, "file: two.pth")
    assert main(check) == 1
    assert main([*check[:2], "model.weights.entry=model_ema", *check[2:]]) == 0
    caplog.set_level("INFO")
    torch.save({f"backbone.{key}": tensor for key, tensor in state.items()}, folder / "ssl.pth")
    mine(folder, "file: ssl.pth")
    assert main(check) == 0
    assert "ssl.pth: its names begin with backbone., which is taken off" in caplog.messages
    mine(folder, "file: net-00001-of-00002.pth")
    torch.save(dict(list(state.items())[:5]), folder / "net-00001-of-00002.pth")
    assert main(check) == 1
    torch.save(dict(list(state.items())[5:]), folder / "net-00002-of-00002.pth")
    assert main(check) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine")]
    for line, part in zip(
        found,
        (
            "mine  wrong  two.pth: holds several sets of weights (model, model_ema)",
            "mine  ok  ",
            "mine  ok  ",
            "mine  missing  net-00001-of-00002.pth: 1 of 2 shards are missing in .: put "
            "net-00002-of-00002.pth there",
            "net-00001-of-00002.pth (2 shards, 2 MB, sha256 ",
        ),
        strict=True,
    ):
        assert part in line


@pytest.mark.slow
def test_fetch_from_the_hub_then_everything_works_offline(folder: Path, hub: str) -> None:
    mine(folder, "hub: timm/test_resnet.tag")
    done = models(folder, "fetch", "mine", HF_ENDPOINT=hub)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(SAFETENSORS).hexdigest() in done.stdout
    lock = json.loads((folder / "weights" / "weights.lock.json").read_text())
    assert list(lock) == ["hub:timm/test_resnet.tag"]
    assert {
        "sha256": hashlib.sha256(SAFETENSORS).hexdigest(),
        "size": len(SAFETENSORS),
    }.items() <= lock["hub:timm/test_resnet.tag"].items()
    assert (folder / "hf" / "hub" / "models--timm--test_resnet.tag").is_dir()
    offline = models(folder, "check", "mine", HF_ENDPOINT="http://127.0.0.1:1")
    assert offline.returncode == 0, offline.stdout


def test_fetch_falls_back_to_the_url(folder: Path, files: str) -> None:
    """The hub refuses connections; its variable for working offline is heeded too."""
    (folder / "served" / "net.safetensors").write_bytes(SAFETENSORS)
    mine(folder, f"hub: timm/test_resnet.tag\n  url: {files}/net.safetensors")
    for environment in ({"HF_ENDPOINT": "http://127.0.0.1:1"}, {"HF_HUB_OFFLINE": "1"}):
        done = models(folder, "fetch", "mine", **environment)
        assert done.returncode == 0, done.stderr
        assert (folder / "weights" / "net.safetensors").read_bytes() == SAFETENSORS
        (folder / "weights" / "net.safetensors").unlink()


def test_fetch_without_network_is_one_line_a_model_and_does_not_stop(folder: Path) -> None:
    mine(folder, "hub: timm/test_resnet.tag\n  url: http://127.0.0.1:1/net.pth")
    done = models(folder, "fetch", "mine", "efficientnet_lite0", HF_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("failed")]
    for part in ("put test_resnet.tag.safetensors (", "net.pth (http", "into weights", "refused"):
        assert part in line
    assert done.stdout.startswith("efficientnet_lite0  ")


def test_proxy_of_the_environment_is_used(folder: Path, files: str) -> None:
    """A host that does not exist is asked for through the proxy, which here is the server."""
    (folder / "served" / "net.safetensors").write_bytes(SAFETENSORS)
    mine(folder, "url: http://no-such-host.invalid/net.safetensors")
    refused = models(folder, "fetch", "mine", http_proxy="http://127.0.0.1:1", no_proxy="")
    assert refused.returncode == 1
    # http.server takes the absolute form of a request that a proxy gets for a path: 404.
    asked = models(folder, "fetch", "mine", http_proxy=files, no_proxy="")
    assert "404" in asked.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "resnet51"], "no model resnet51; available: moco_v2, resnet50"),
        (["fetch"], "name the models to fetch, or all 26 with --published"),
        (["check", "timm"], "model.timm_name is missing"),
        (["check", "resnet50", "model.inptu_size=3"], "inptu_size"),
    ],
)
def test_wrong_names(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
