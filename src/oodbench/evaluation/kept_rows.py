"""How the rows were computed that a run has already; the rest is computed the same way.

Where the config leaves the choice of engine and batch size to the program, and that depends on the
device's free memory or on what is left to do, a run that was killed and continued would otherwise
have other bits than an undisturbed one.
"""

from oodbench.engines.settings import device_type
from oodbench.runs.plan import Plan
from oodbench.runs.records import ChunkInfo, read_info


def first_kept(plan: Plan) -> ChunkInfo | None:
    """What the first chunk on disk says of itself, if this kind of device has computed it.

    Args:
        plan: of the run.

    Returns:
        None where there is no sound chunk, or another kind of device made it.
    """
    for path in sorted(plan.paths.records.glob("*.parquet")):
        info = read_info(path)
        if info is not None and info.batch_size:
            same = device_type(info.device) == device_type(plan.device)
            return info if same else None
    return None
