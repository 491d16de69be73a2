import pytest
import torch
from torch import Tensor

from oodbench.core.errors import ConfigError
from oodbench.models.classifier import check_outputs, log_probabilities, noise

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
CERTAIN = torch.tensor([[0.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("found", "outputs"),
    [
        (LOGITS, "logits"),
        (LOGITS.softmax(1), "probabilities"),
        (CERTAIN, "probabilities"),
        # Not negative, but no distribution.
        (LOGITS.abs(), "logits"),
        # The sum is 1, but one is negative.
        (torch.tensor([[1.5, -0.5]]), "logits"),
        # One row of two is a distribution by chance.
        (torch.tensor([[0.5, 0.5], [0.7, 0.5]]), "logits"),
    ],
)
def test_what_is_declared_passes(found: Tensor, outputs: str) -> None:
    check_outputs(found, name="net", outputs=outputs)


@pytest.mark.parametrize(
    ("found", "outputs", "message"),
    [
        (LOGITS.softmax(1), "logits", "net: its outputs are probabilities: set model.outputs=prob"),
        (LOGITS.softmax(1) + 1e-4, "logits", "set model.outputs=probabilities"),
        (LOGITS, "probabilities", r"are none \(a row has the sum 1.5 and the least value -1\)"),
        (LOGITS.sigmoid(), "probabilities", "set model.outputs=logits"),
        (LOGITS.log_softmax(1), "probabilities", "set model.outputs=logits"),
        (LOGITS / 0, "logits", "outputs are not finite"),
    ],
)
def test_anything_else_is_refused(found: Tensor, outputs: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_outputs(found, name="net", outputs=outputs)


def test_softmax_gives_the_probabilities_back() -> None:
    probabilities = torch.tensor([[0.0, 0.25, 0.75]])
    logits = log_probabilities(probabilities)
    assert torch.isfinite(logits).all()
    # 2^-126, the smallest normal float32.
    assert logits[0, 0].item() == pytest.approx(-126 * 0.6931471805599453)
    torch.testing.assert_close(logits.softmax(1), probabilities)


def test_noise_is_the_same_each_time_and_leaves_the_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    assert torch.equal(noise(8), noise(8))
    assert noise(8).shape == (2, 3, 8, 8)
    assert torch.equal(torch.get_rng_state(), before)
