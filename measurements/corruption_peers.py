"""Other people's corruptions, patched from outside so that they run, on our pictures and streams.

Runs in an environment of its own, which needs no oodbench and no oodbench dependency:

    python3.11 -m venv peers
    peers/bin/pip install "setuptools<80" "numpy<2" "scikit-image==0.21.*" "scipy<1.18" \
        imagecorruptions
    peers/bin/python measurements/corruption_peers.py arrays --pictures in.npy --out out.npz

or, for `--peer corrupt_tta`, `pip install corrupt-tta` alone. With `--imagemagick convert`, the
motion blur of motion_blur and snow is that of ImageMagick 6, as published. Patched: the argument
`multichannel`, which scikit-image gave up; frost's enlargement of the texture by 1.1, and snow's
layer that is one pixel too large, unlike the published code's. For `arrays`, every draw comes
from the generator of `picture_stream`; for `times`, from `numpy.random`, as the peers do.
"""

import argparse
import json
import subprocess
import sys
import time
import types
import warnings
from hashlib import sha256
from importlib import import_module
from io import BytesIO
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

    generator = None

    def __getattr__(self, name):
        return getattr(self.generator, "integers" if name == "randint" else name)


class Numpy(types.ModuleType):
    """Stands in for `numpy` inside a peer, with another `random`."""

    def __init__(self, random):
        super().__init__("numpy")
        self.random = random

    def __getattr__(self, name):
        return getattr(np, name)


def load_peer(name, shared, imagemagick=None):
    """(function of picture, severity and corruption; the streams it draws from, if shared)."""
    warnings.simplefilter("ignore")
    if name == "oodbench":
        return _load_oodbench(), None
    package = import_module(name)
    module = import_module(f"{name}.corruptions")
    streams = Streams("random")
    if shared:
        module.np = Numpy(streams)
    if name == "imagecorruptions":
        _mend_imagecorruptions(module, streams)
        if imagemagick:
            module._motion_blur = _motion_blur_of(imagemagick)
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


def _load_oodbench():
    registry = import_module("oodbench.data.corruptions.registry")
    parameters = import_module("oodbench.data.corruptions.parameters")

    def corrupt(picture, severity, corruption):
        rng = parameters.picture_stream(0, corruption, severity, "n01440764/a")
        return registry.corrupt(picture, corruption, severity, rng)

    return corrupt


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

    def trimmed_zoom(image, factor):
        return clipped_zoom(image, factor)[: image.shape[0], : image.shape[1]]

    clipped_zoom = module.clipped_zoom
    module.clipped_zoom = trimmed_zoom
    module_cv2 = module.cv2
    module.cv2 = cv2_without_enlarged_frost()
    module.gaussian = with_channel_axis
    util = types.SimpleNamespace(
        random_noise=lambda x, **options: noise(x, rng=streams.generator, **options)
    )
    module.sk = types.SimpleNamespace(util=util, color=module.sk.color)


def _motion_blur_of(convert):
    """The published way: bytes to ImageMagick and back; the layer of snow is in 0..1."""
    from PIL import Image

    def motion_blur(x, radius, sigma, angle):
        scale = 255 if x.dtype == np.float64 else 1
        file = BytesIO()
        Image.fromarray(np.uint8(x * scale)).save(file, format="PNG")
        blur = ["-motion-blur", f"{radius}x{sigma}{angle:+.12f}"]
        made = subprocess.run(
            [convert, "png:-", *blur, "png:-"],
            input=file.getvalue(),
            capture_output=True,
            check=True,
        )
        mode = "RGB" if x.ndim == 3 else "L"
        return np.array(Image.open(BytesIO(made.stdout)).convert(mode)) / np.float64(scale)

    return motion_blur


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


def times(options, corrupt, _):
    """Milliseconds of the processor a picture, the best of `rounds`, by corruption and severity.

    Without oodbench beside it there is no ratio: corruptions.py has both sides.
    """
    pictures = np.load(options.pictures)
    found = {}
    for corruption in options.corruptions:
        for severity in range(1, 6):
            corrupt(pictures[0], severity, corruption)
            rounds = []
            for _ in range(options.rounds):
                start = time.process_time()
                for picture in pictures:
                    corrupt(picture, severity, corruption)
                rounds.append((time.process_time() - start) / len(pictures) * 1000)
            found[f"{corruption}/{severity}"] = min(rounds)
    json.dump(found, sys.stdout)
    if options.json:
        options.json.write_text(json.dumps(rows(options, found), indent=1))


def rows(options, found):
    own = options.peer == "oodbench"
    return [
        {
            "work": f"{cell}, {options.peer}",
            "ours": milliseconds if own else None,
            "theirs": None if own else milliseconds,
            "unit": "ms a picture",
            "ratio": None,
            "agree": None,
        }
        for cell, milliseconds in found.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=("arrays", "times"))
    parser.add_argument(
        "--peer",
        default="imagecorruptions",
        choices=("imagecorruptions", "corrupt_tta", "oodbench"),
        help="oodbench: for times only, in oodbench's own environment",
    )
    parser.add_argument("--pictures", type=Path, required=True, help="uint8 (N, H, W, 3) .npy")
    parser.add_argument("--out", type=Path, help="for arrays: .npz")
    parser.add_argument("--imagemagick", help="convert of ImageMagick 6; see above")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="for times: where the figures go as rows too")
    parser.add_argument("--corruptions", nargs="+", default=CORRUPTIONS)
    options = parser.parse_args()
    shared = options.work == "arrays"
    corrupt, streams = load_peer(options.peer, shared, options.imagemagick)
    import_module("cv2").setNumThreads(1)
    {"arrays": arrays, "times": times}[options.work](options, corrupt, streams)


if __name__ == "__main__":
    main()
