"""How much an engine has to compute."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """Of a run; None where it is not known.

    Attributes:
        batch_size: of the run.
        n_left: pictures that this process may still have to compute.
        n_pictures: of the whole benchmark, whatever part of it is asked for or done: what depends
            on it is the same for every shard, and after every kill.
        kept_engine: name of the engine that computed the rows that the run has.
    """

    batch_size: int | None = None
    n_left: int | None = None
    n_pictures: int | None = None
    kept_engine: str | None = None
