"""ImageNet-P made from the clean validation pictures."""

from collections.abc import Sequence

from oodbench.data.generation import generate
from oodbench.data.generation.tasks import Maker
from oodbench.data.perturbations import parameters


def cells(names: Sequence[str] | None) -> list[str]:
    """Folders `<perturbation>` of the data set.

    Args:
        names: of perturbations; None: all.

    Raises:
        ConfigError: an unknown perturbation.
    """
    known = parameters.names()
    chosen = {parameters.checked_name(name) for name in names or known}
    return [name for name in known if name in chosen]


def _versions(perturbations: Sequence[str]) -> dict[str, str | None]:
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
