"""Accuracy under a shift beyond what accuracy without it predicts (Taori et al. 2020)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class LogitLine:
    """Logit of the accuracy under a shift as a line of the logit without it.

    Attributes:
        slope, intercept: of the line; dimensionless.
        n: models that it was fitted to.
    """

    slope: float
    intercept: float
    n: int

    def predicted(self, standard: ArrayLike) -> NDArray[np.float64]:
        """Accuracy under the shift that is to be expected, a fraction in [0, 1].

        Args:
            standard: accuracy without it, fractions in [0, 1]; 0 and 1 have no logit and stay what
                they are where the slope is positive.
        """
        return inverse_logit(self.intercept + self.slope * logit(standard))


def logit(accuracy: ArrayLike) -> NDArray[np.float64]:
    """Log of the odds, ln(p / (1 - p)); infinite for 0 and 1.

    Args:
        accuracy: fractions in [0, 1] of any shape.
    """
    share = np.asarray(accuracy, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(share) - np.log1p(-share))


def inverse_logit(odds: ArrayLike) -> NDArray[np.float64]:
    """The fraction of which `odds` is the logit.

    Args:
        odds: any numbers, infinite ones too.
    """
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(odds, dtype=np.float64))))


def fit_on_logits(standard: ArrayLike, shifted: ArrayLike) -> LogitLine | None:
    """Least squares of the logits under a shift on those without it.

    Models with an accuracy of 0 or 1, which have no logit, and NaN are left out.

    Args:
        standard: accuracies without the shift, fractions `(n,)`.
        shifted: those under it, `(n,)`.

    Returns:
        None where fewer than three models, or none of different accuracy, are left.

    Raises:
        ValueError: the arrays differ in length.
    """
    x, y = logit(standard), logit(shifted)
    if x.shape != y.shape:
        raise ValueError(f"expected two arrays of one length, found {x.shape}, {y.shape}")
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]
    if len(x) < 3 or np.ptp(x) == 0:
        return None
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    return LogitLine(slope, float(y.mean() - slope * x.mean()), len(x))
