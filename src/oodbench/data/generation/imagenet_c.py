"""`oodbench-data corrupt`: ImageNet-C made from the clean validation pictures."""

import argparse
from collections.abc import Sequence

from oodbench.data.corruptions import parameters
from oodbench.data.generation import generate
from oodbench.data.generation.tasks import Maker

SUMMARY = "make ImageNet-C from ImageNet's validation pictures: 19 corruptions, 5 severities"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    generate.add_arguments(parser)
    parser.add_argument(
        "--corruptions", nargs="+", metavar="NAME", help="by their published names (default: all)"
    )
    parser.add_argument(
        "--severities",
        nargs="+",
        type=int,
        default=[1, 2, 3, 4, 5],
        choices=[1, 2, 3, 4, 5],
        metavar="N",
        help="of 1 2 3 4 5 (default: all)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Make the corrupted pictures."""
    generate.run(arguments, PRODUCT, _cells(arguments.corruptions, arguments.severities))


def _cells(names: Sequence[str] | None, severities: Sequence[int]) -> list[str]:
    chosen = {parameters.checked_name(name) for name in names or parameters.names()}
    return [
        f"{name}/{severity}"
        for name in parameters.names()
        if name in chosen
        for severity in sorted(set(severities))
    ]


def _versions(cells: Sequence[str]) -> dict[str, str]:
    """Versions that the bytes may depend on; of frost, the textures are looked at too."""
    from oodbench.data.corruptions.frost_textures import frost_textures

    found = generate.package_versions()
    if any(cell.startswith("frost/") for cell in cells):
        frost_textures()
    return found


def _maker() -> Maker:
    from oodbench.data.corruptions.files import clean_picture, corrupted_file

    return Maker(clean_picture, corrupted_file, ".JPEG")


PRODUCT = generate.Product(
    command="corrupt",
    data_set="ImageNet-C",
    unit="file",
    cells_at_a_time=None,
    parameters_hash=parameters.parameters_hash,
    versions=_versions,
    maker=_maker,
)
