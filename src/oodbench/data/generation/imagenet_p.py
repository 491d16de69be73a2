"""`oodbench-data perturb`: ImageNet-P made from the clean validation pictures."""

import argparse
from collections.abc import Sequence

from oodbench.data.generation import generate
from oodbench.data.generation.tasks import Maker
from oodbench.data.perturbations import parameters

SUMMARY = "make ImageNet-P from ImageNet's validation pictures: clips of 14 perturbations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    generate.add_arguments(parser)
    parser.add_argument(
        "--perturbations", nargs="+", metavar="NAME", help="by their published names (default: all)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Make the clips."""
    names = parameters.names()
    chosen = {parameters.checked_name(name) for name in arguments.perturbations or names}
    generate.run(arguments, PRODUCT, [name for name in names if name in chosen])


def _versions(perturbations: Sequence[str]) -> dict[str, str]:
    """Versions that the bytes may depend on."""
    return generate.package_versions("av")


def _maker() -> Maker:
    from oodbench.data.perturbations.files import clip_file, whole_picture

    return Maker(whole_picture, clip_file, ".mp4")


PRODUCT = generate.Product(
    command="perturb",
    data_set="ImageNet-P",
    unit="clip",
    cells_at_a_time=1,
    parameters_hash=parameters.parameters_hash,
    versions=_versions,
    maker=_maker,
)
