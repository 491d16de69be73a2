"""How to install the optional packages, which setup.cfg lists as extras."""


def install_extra(name: str) -> str:
    """The end of a message: what to type for an extra. The package is on no index yet.

    Args:
        name: of the extra.
    """
    return f"in the clone of oodbench: pip install -e '.[{name}]'"
