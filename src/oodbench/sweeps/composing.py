"""Where the shipped configs are, and what Hydra must know to compose them."""

import importlib.util
from pathlib import Path

from oodbench.core.schema import register_schema
from oodbench.models.facts import register_resolvers as register_model_facts
from oodbench.resolvers import register_resolvers

SHIPPED_FOLDER = Path(__file__).resolve().parents[3] / "conf"
"""The configs of a checkout whose package is not installed."""

INSTALLED = importlib.util.find_spec("oodbench.conf") is not None

CONFIG_PATH = "pkg://oodbench.conf" if INSTALLED else str(SHIPPED_FOLDER)


def register_all() -> None:
    """Make the schema and all resolvers of the shipped configs known to Hydra."""
    register_schema()
    register_resolvers()
    register_model_facts()
