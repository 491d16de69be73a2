"""Where the shipped configs are, for `hydra.main`."""

import importlib.util
from pathlib import Path

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "conf"
"""The configs of a checkout whose package is not installed."""

INSTALLED = importlib.util.find_spec("oodbench.conf") is not None

CONFIG_PATH = "pkg://oodbench.conf" if INSTALLED else str(SHIPPED_FOLDER)
