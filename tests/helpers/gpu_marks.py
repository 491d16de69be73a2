"""Tests marked `gpu` need a CUDA device; where there is none they are skipped, and say why."""

import pytest


def why_no_gpu() -> str:
    """ "" where PyTorch can use a CUDA device."""
    import torch  # here, because most tests need none, and it takes seconds

    if torch.cuda.is_available():
        return ""
    built = "" if torch.version.cuda else "; this PyTorch was built without CUDA"
    return f"needs a CUDA device, and PyTorch finds none here{built}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = why_no_gpu() if marked else ""
    for item in marked:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
