"""Arithmetic for config files, where YAML has none: `${frac:8,255}`, `${floor_div:224,0.875}`."""

import math

from omegaconf import OmegaConf


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf. May be called again."""
    OmegaConf.register_new_resolver("frac", _fraction, replace=True)
    OmegaConf.register_new_resolver("floor_div", _floor_division, replace=True)


def _fraction(numerator: float, denominator: float) -> float:
    return numerator / denominator


def _floor_division(numerator: float, denominator: float) -> int:
    """Timm's scale size: floor(input size / crop_pct)."""
    return math.floor(numerator / denominator)
