"""The seed of an image's attack, without torch: the run key and the records may need it."""

import hashlib

_MASK = (1 << 63) - 1  # torch.Generator.manual_seed takes signed 64-bit integers


def image_seed(seed: int, image: str) -> int:
    """A seed that depends on the run's seed and the image's path alone.

    Args:
        seed: the run's seed.
        image: path of the image below the benchmark's root, with forward slashes.

    Returns:
        The first 8 bytes (big endian) of sha256("<seed>:<image>"), in 0..2^63 - 1.
    """
    digest = hashlib.sha256(f"{seed}:{image}".encode()).digest()
    return int.from_bytes(digest[:8], "big") & _MASK
