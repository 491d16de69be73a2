"""What `prepare` makes of archives with the official structure is measured."""

from pathlib import Path

import numpy as np
import pytest
from official_archives import OFFICIAL, PASSWORD, imagenet_p, imagenet_val
from toys import Cli

from oodbench.cli.data_prepare import named_data_set
from oodbench.core.files import read_json
from oodbench.data.archives.placing import How
from oodbench.data.archives.prepare import prepare
from oodbench.data.archives.request import Request
from oodbench.data.clips import write_clip


def prepare_all_of(data_set: str, archives: Path, root: Path) -> None:
    archives.mkdir(exist_ok=True)
    if data_set == "imagenet_p":
        frames = np.random.default_rng(0).integers(0, 256, (31, 224, 224, 3), dtype=np.uint8)
        write_clip(frames, archives / "clip.mp4")
        imagenet_p(archives, (archives / "clip.mp4").read_bytes())
        (archives / "digital.tar").unlink()  # translate has 41 frames
    else:
        OFFICIAL[data_set](archives)
    prepare(
        Request(
            data_set=named_data_set(data_set)[0],
            given=[archives],
            root=root,
            how=How.COPY,
            verify=False,
            password=lambda: PASSWORD,
            benchmark=None,
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("data_set", OFFICIAL)
def test_run_on_a_prepared_tree(data_set: str, toy: Path, cli: Cli) -> None:
    _, benchmark = named_data_set(data_set)
    assert benchmark is not None, "no benchmark reads it"
    (toy / "data" / "imagenet" / "val").rename(toy / "other")
    if data_set != "imagenet_val":
        # Some benchmarks read validation pictures beside their own.
        (toy / "val").mkdir()
        imagenet_val(toy / "val", n=2000, devkit=False)
        val = Request(
            named_data_set("imagenet_val")[0],
            [toy / "val"],
            *(toy / "data", How.COPY, False, bytes, None),
        )
        prepare(val)
    prepare_all_of(data_set, toy / "archives", toy / "data")
    options = [] if data_set in ("imagenet_c", "imagenet_p") else ["preprocessing=timm"]
    done = cli("model=toy", f"benchmark={benchmark}", "engine=eager", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (result,) = (toy / "outputs" / "runs" / benchmark).rglob("result.json")
    assert read_json(result)["scores"]
