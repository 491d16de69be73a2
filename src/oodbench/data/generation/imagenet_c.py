"""ImageNet-C made from the clean validation pictures."""

from collections.abc import Sequence

from oodbench.data.corruptions import parameters
from oodbench.data.generation import generate
from oodbench.data.generation.tasks import Maker


def cells(names: Sequence[str] | None, severities: Sequence[int]) -> list[str]:
    """Folders `<corruption>/<severity>` of the data set.

    Args:
        names: of corruptions; None: all.
        severities: of 1 to 5.

    Raises:
        ConfigError: an unknown corruption.
    """
    chosen = {parameters.checked_name(name) for name in names or parameters.names()}
    return [
        f"{name}/{severity}"
        for name in parameters.names()
        if name in chosen
        for severity in sorted(set(severities))
    ]


def _versions(cells: Sequence[str]) -> dict[str, str | None]:
    """Versions that the bytes may depend on; for frost, the textures are checked, too."""
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
