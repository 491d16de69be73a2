"""Other people's corruptions, mended from outside so that they run, on our pictures and streams.

Runs in an environment of its own, which needs no oodbench and no oodbench dependency:

    python3.11 -m venv peers
    peers/bin/pip install "setuptools<80" "numpy<2" "scikit-image==0.21.*" "scipy<1.18" \
        imagecorruptions
    peers/bin/python benchmarks/corruption_peers.py arrays --pictures in.npy --out out.npz

or, for `--peer corrupt_tta`, `pip install corrupt-tta` alone. Mended: the argument `multichannel`,
which scikit-image gave up; mud, which wants a PIL picture; frost's enlargement of the texture by
1.1, which the published code has not. Every draw comes from the generator of `picture_stream`.
"""

import argparse
import json
import sys
import time
import types
import warnings
from hashlib import sha256
from importlib import import_module
from pathlib import Path

import numpy as np

CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur"),
    *("motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast"),
    *("elastic_transform", "pixelate", "jpeg_compression", "speckle_noise", "gaussian_blur"),
    *("spatter", "saturate"),
)


def picture_stream(seed, corruption, severity, name):
    """The generator that oodbench gives a picture, written again here."""
    key = f"{seed}:{corruption}:{severity}:{name}"
    number = int.from_bytes(sha256(key.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(number))


class Streams(types.ModuleType):
    """Stands in for `numpy.random` inside a peer: every draw comes from `self.generator`."""

    generator: np.random.Generator

    def __getattr__(self, name):
        return getattr(self.generator, "integers" if name == "randint" else name)


class Numpy(types.ModuleType):
    """Stands in for `numpy` inside a peer, with another `random`."""

    def __init__(self, random):
        super().__init__("numpy")
        self.random = random

    def __getattr__(self, name):
        return getattr(np, name)


def load_peer(name):
    """(function of picture, severity and corruption; the streams it draws from)."""
    warnings.simplefilter("ignore")
    package = import_module(name)
    module = import_module(f"{name}.corruptions")
    streams = Streams("random")
    module.np = Numpy(streams)
    if name == "imagecorruptions":
        _mend_imagecorruptions(module, streams)
        functions = package.corruption_dict
        from PIL import Image

        def corrupt(picture, severity, corruption):
            made = functions[corruption](Image.fromarray(picture), severity)
            return np.uint8(made)
    else:
        noise = module.random_noise
        module.random_noise = lambda x, **options: noise(x, rng=streams.generator, **options)

        def corrupt(picture, severity, corruption):
            return np.uint8(package.corrupt(picture, severity, corruption))

    return corrupt, streams


def _mend_imagecorruptions(module, streams):
    gaussian, noise = module.gaussian, module.sk.util.random_noise

    def with_channel_axis(image, sigma, multichannel=False, **options):
        axis = -1 if multichannel else None
        return gaussian(image, sigma, channel_axis=axis, **options)

    def cv2_without_enlarged_frost():
        stand_in = types.ModuleType("cv2")
        stand_in.__getattr__ = lambda name: getattr(module_cv2, name)
        stand_in.resize = lambda texture, **options: texture
        return stand_in

    module_cv2 = module.cv2
    module.cv2 = cv2_without_enlarged_frost()
    module.gaussian = with_channel_axis
    util = types.SimpleNamespace(
        random_noise=lambda x, **options: noise(x, rng=streams.generator, **options)
    )
    module.sk = types.SimpleNamespace(util=util, color=module.sk.color)


def corrupted(corrupt, streams, picture, severity, corruption, name, seed=0):
    streams.generator = picture_stream(seed, corruption, severity, name)
    return corrupt(picture.copy(), severity, corruption)


def arrays(options, corrupt, streams):
    """Every picture (N, H, W, 3) in every corruption: out[corruption] (5, N, H, W, 3)."""
    pictures = np.load(options.pictures)
    made = {
        corruption: np.stack(
            [
                [
                    corrupted(corrupt, streams, picture, severity, corruption, str(index))
                    for index, picture in enumerate(pictures)
                ]
                for severity in range(1, 6)
            ]
        )
        for corruption in options.corruptions
    }
    np.savez(options.out, **made)


def times(options, corrupt, streams):
    """Milliseconds a picture, the fastest of `rounds`, of every corruption and severity."""
    pictures = np.load(options.pictures)
    found = {}
    for corruption in options.corruptions:
        for severity in range(1, 6):
            corrupted(corrupt, streams, pictures[0], severity, corruption, "0")
            rounds = []
            for _ in range(options.rounds):
                start = time.perf_counter()
                for index, picture in enumerate(pictures):
                    corrupted(corrupt, streams, picture, severity, corruption, str(index))
                rounds.append((time.perf_counter() - start) / len(pictures) * 1000)
            found[f"{corruption}/{severity}"] = min(rounds)
    json.dump(found, sys.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=("arrays", "times"))
    parser.add_argument("--peer", default="imagecorruptions")
    parser.add_argument("--pictures", type=Path, required=True, help="uint8 (N, H, W, 3) .npy")
    parser.add_argument("--out", type=Path, help="for arrays: .npz")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corruptions", nargs="+", default=CORRUPTIONS)
    options = parser.parse_args()
    corrupt, streams = load_peer(options.peer)
    import_module("cv2").setNumThreads(1)
    {"arrays": arrays, "times": times}[options.work](options, corrupt, streams)


if __name__ == "__main__":
    main()
