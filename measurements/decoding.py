"""JPEG files to preprocessed pixels with several decoders, on one thread, pixels compared.

`ours` is `oodbench.data.pictures.load_picture` and then Resize 256, CenterCrop 224; each of
the others decodes the same files, hands its pixels to the same resize, and drops out where they
differ. Milliseconds of the processor per picture, the best of several rounds.

    python measurements/decoding.py --pictures /data/imagenet/val --json decoding.json
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from first_pictures import first_pictures
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from oodbench.core.files import write_json
from oodbench.data.pictures import load_picture
from oodbench.preprocessing import Preprocessing

Decode = Callable[[Path], Image.Image]


def pillow(path: Path) -> Image.Image:
    """Ours."""
    return load_picture(path)[0]


def torchvision(path: Path) -> Image.Image:
    """torchvision's own binding of libjpeg-turbo."""
    encoded = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    pixels = decode_jpeg(encoded, mode=ImageReadMode.RGB)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def opencv(path: Path) -> Image.Image:
    """OpenCV's."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    assert pixels is not None
    return Image.fromarray(pixels)


def milliseconds(decode: Decode, finish: Preprocessing, paths: Sequence[Path]) -> float:
    """Of the processor, a picture."""
    clock = time.process_time()
    for path in paths:
        finish(decode(path))
    return (time.process_time() - clock) / len(paths) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paths = first_pictures(arguments.pictures, arguments.count)
    finish = Preprocessing(resize=256, crop=224)
    decoders: list[Decode] = [pillow, torchvision, opencv]
    equal = [
        all(np.array_equal(pillow(path), decode(path)) for path in paths) for decode in decoders
    ]
    times = np.array(
        [
            [milliseconds(decode, finish, paths) for decode in decoders]
            for _ in range(arguments.rounds)
        ]
    ).min(axis=0)
    rows: list[dict[str, Any]] = [
        {
            "work": f"decode, resize 256, crop 224: Pillow against {decode.__name__}",
            "ours": round(float(times[0]), 3),
            "theirs": round(float(other), 3),
            "unit": "ms per picture",
            "ratio": round(float(other / times[0]), 2),
            "agree": same,
        }
        for decode, other, same in zip(decoders[1:], times[1:], equal[1:], strict=True)
    ]
    for row in rows:
        print(row)
    if arguments.json:
        write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
