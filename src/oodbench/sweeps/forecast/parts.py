"""What the time of a run is spent on, and which of it holds up the rest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """Seconds of a run.

    Attributes:
        loading: reading, decoding and preprocessing, on all cores that do this.
        copying: pixels to the accelerator, and resizing them there; 0 on a CPU.
        network: forward and backward passes.
        at_once: whether the three go on at the same time, as with an accelerator, or share the
            cores of a CPU.
    """

    loading: float
    copying: float
    network: float
    at_once: bool

    @property
    def seconds(self) -> float:
        """Of the whole run: of what goes on at once, the longest counts."""
        parts = (self.loading, self.copying, self.network)
        return max(parts) if self.at_once else sum(parts)

    @property
    def bottleneck(self) -> str:
        """Name of the longest part."""
        return max(("network", "loading", "copying"), key=lambda name: getattr(self, name))
