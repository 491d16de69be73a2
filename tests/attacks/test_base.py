import hashlib

import torch

from oodbench.attacks.base import image_seed


def test_seed_is_the_masked_start_of_the_hash() -> None:
    text = hashlib.sha256(b"3:val/n01440764/a.JPEG").hexdigest()[:16]
    assert image_seed(3, "val/n01440764/a.JPEG") == int(text, 16) % 2**63


def test_seed_hand_worked() -> None:
    # echo -n "0:a.png" | sha256sum -> a2d18bd99fde25fe...; without its top bit, a becomes 2
    assert image_seed(0, "a.png") == 0x22D18BD99FDE25FE


def test_seeds_differ_and_fit_a_generator() -> None:
    seeds = {image_seed(seed, f"{i}.png") for seed in range(3) for i in range(300)}
    assert len(seeds) == 900
    for seed in seeds:
        assert 0 <= seed < 2**63
    torch.Generator().manual_seed(max(seeds))
