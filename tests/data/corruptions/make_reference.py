"""Reference values of the corruptions, by other people's packages. Run by hand, in their world.

The environments and what is patched in the packages: see measurements/corruption_peers.py. From the
project's folder, with ImageNet's pictures in class folders:

    old/bin/python tests/data/corruptions/make_reference.py --pictures val
    new/bin/python tests/data/corruptions/make_reference.py --pictures val --peer corrupt_tta \
        --corruptions elastic_transform

writes `reference_pixels.csv` (values of 64 pixels of two synthetic pictures) and
`reference_changes.csv` (mean and standard deviation of the change of each channel over 50 real
pictures: every 10th class, first picture); rows of other peers stay. imagecorruptions' elastic
transform is not the published one, so that its rows come from corrupt_tta, which has 224 for 244.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "helpers"), str(HERE.parents[2] / "measurements")]

from corruption_peers import CORRUPTIONS, corrupted, load_peer  # noqa: E402
from synthetic_pictures import sampled_positions, synthetic_pictures  # noqa: E402

NOT_PUBLISHED = {"imagecorruptions": {"elastic_transform"}, "corrupt_tta": set()}


def clean_picture(path):
    """torchvision's Resize(256) and CenterCrop(224), written again."""
    picture = Image.open(path).convert("RGB")
    width, height = picture.size
    shorter = min(width, height)
    width, height = int(256 * width / shorter), int(256 * height / shorter)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - 224) / 2), round((height - 224) / 2)
    return np.array(picture.crop((left, top, left + 224, top + 224)))


def real_pictures(folder):
    classes = sorted(path for path in folder.iterdir() if path.is_dir())[::10][:50]
    files = [min(path.iterdir()) for path in classes]
    return {f"{path.parent.name}/{path.stem}": clean_picture(path) for path in files}


def pixel_row(pictures, corrupt, streams, corruption, severity):
    made = [
        corrupted(corrupt, streams, picture, severity, corruption, f"synthetic/{index}")
        for index, picture in enumerate(pictures)
    ]
    return [picture.reshape(-1, 3)[sampled_positions()].tobytes().hex() for picture in made]


def change_row(pictures, corrupt, streams, corruption, severity):
    changes = np.stack(
        [
            corrupted(corrupt, streams, picture, severity, corruption, name).astype(int) - picture
            for name, picture in pictures.items()
        ]
    ).reshape(-1, 3)
    return [f"{value:.4f}" for value in (*changes.mean(axis=0), *changes.std(axis=0))]


def write(name, header, peer, rows):
    path = HERE / name
    kept = []
    if path.exists():
        with path.open(newline="") as file:
            kept = [row for row in list(csv.reader(file))[1:] if row[0] != peer]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *kept, *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--peer", default="imagecorruptions", choices=NOT_PUBLISHED)
    parser.add_argument("--corruptions", nargs="+", default=CORRUPTIONS)
    options = parser.parse_args()
    corrupt, streams = load_peer(options.peer, shared=True)
    synthetic, real = synthetic_pictures(), real_pictures(options.pictures)
    pixels, changes = [], []
    for corruption in options.corruptions:
        if corruption in NOT_PUBLISHED[options.peer]:
            continue
        for severity in range(1, 6):
            cell = [options.peer, corruption, severity]
            inputs = (corrupt, streams, corruption, severity)
            pixels.append([*cell, *pixel_row(synthetic, *inputs)])
            changes.append([*cell, *change_row(real, *inputs)])
    cell = ["peer", "corruption", "severity"]
    write("reference_pixels.csv", [*cell, "first", "second"], options.peer, pixels)
    header = [f"{value}_{colour}" for value in ("mean", "std") for colour in "rgb"]
    write("reference_changes.csv", [*cell, *header], options.peer, changes)


if __name__ == "__main__":
    main()
