"""Top-1 error on pictures corrupted by ours and by other people's packages, same random streams.

efficientnet_lite0 on every cell of the corruptions that are named. The packages are
imagecorruptions, and corrupt-tta for elastic_transform; their environments are described in
measurements/corruption_peers.py. They agree if the 95 % interval of the paired difference has 0.

    python measurements/corruption_top1.py --pictures /data/imagenet/val --reference-python \\
        old/bin/python --tta-python new/bin/python --imagemagick convert --json top1.json
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attack_strength import paired_difference
from attacks import load_model
from corruption_answers import Peers, Pictures, corrupted, grey_levels
from first_pictures import first_pictures
from torch import Tensor, nn

from oodbench.core.files import write_json
from oodbench.data.corruptions.files import clean_picture
from oodbench.data.corruptions.parameters import SEVERITIES, names
from oodbench.reference import imagenet_wnids
from oodbench.sweeps.composing import register_all

BATCH = 50


def errors(classifier: nn.Module, pictures: Pictures, labels: Tensor) -> Tensor:
    """Whether the top-1 prediction is wrong, bool (N,), of pictures (N, 224, 224, 3)."""
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    with torch.inference_mode():
        predicted = [classifier(part / 255).argmax(1) for part in images.split(BATCH)]
    return torch.cat(predicted) != labels


def compared(
    classifier: nn.Module, labels: Tensor, corruption: str, ours: Pictures, theirs: Pictures
) -> Iterator[dict[str, Any]]:
    """One row per severity."""
    for severity, mine, others in zip(SEVERITIES, ours, theirs, strict=True):
        wrong, wrong_there = (errors(classifier, made, labels) for made in (mine, others))
        low, high = paired_difference(wrong, wrong_there)
        own, other = (100 * made.float().mean().item() for made in (wrong, wrong_there))
        yield {
            "work": f"{corruption}/{severity}, {len(labels)} pictures",
            "ours": own,
            "theirs": other,
            "unit": "% top-1 error",
            "ratio": own / other if other else None,
            "difference": [100 * low, 100 * high],
            "discordant": [int((wrong & ~wrong_there).sum()), int((wrong_there & ~wrong).sum())],
            "grey_levels": grey_levels(mine, others),
            "agree": low <= 0 <= high,
        }


def measured(paths: list[Path], corruptions: list[str], peers: Peers) -> Iterator[dict[str, Any]]:
    classifier, _ = load_model("model=efficientnet_lite0")
    wnids = imagenet_wnids()
    labels = torch.tensor([wnids.index(path.parent.name) for path in paths])
    pictures = np.stack([clean_picture(path) for path in paths])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npy"
        np.save(file, pictures)
        for corruption in corruptions:
            theirs = peers.corrupted(file, corruption)
            ours = corrupted(pictures, corruption)
            yield from compared(classifier, labels, corruption, ours, theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--reference-python", required=True, help="with imagecorruptions")
    parser.add_argument("--tta-python", help="with corrupt-tta; without: no elastic_transform")
    parser.add_argument("--imagemagick", help="its convert, for the motion blur of snow and others")
    parser.add_argument("--count", type=int, default=500, help="pictures (default: %(default)s)")
    parser.add_argument("--corruptions", nargs="+", default=names(), choices=names())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    register_all()
    peers = Peers(options.reference_python, options.tta_python, options.imagemagick)
    paths = first_pictures(options.pictures, options.count)
    corruptions = [name for name in options.corruptions if peers.answers_for(name)]
    rows = []
    for row in measured(paths, corruptions, peers):
        rows.append(row)
        low, high = row["difference"]
        print(
            "{work}: {ours:.1f} {unit}, theirs {theirs:.1f}, difference {low:+.2f} to {high:+.2f}, "
            "discordant {discordant}, at most {grey_levels} grey levels, agree: {agree}".format(
                **row, low=low, high=high
            ),
            flush=True,
        )
        if options.json:
            write_json(options.json, rows)


if __name__ == "__main__":
    main()
