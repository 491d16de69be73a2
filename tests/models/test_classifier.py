import pytest
import torch
from torch import Tensor, nn

from oodbench.errors import ConfigError
from oodbench.models.classifier import Classifier

MEAN, STD = [0.5, 0.25, 0.75], [0.5, 0.25, 0.125]


class ChannelMeans(nn.Module):
    """Logits whose first three columns are the mean of each normalised channel."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.classes = classes
        self.unused = nn.Linear(1, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.pad(self.dropout(images.mean((2, 3))), (0, self.classes - 3))


def test_normalises_each_channel() -> None:
    logits = Classifier(ChannelMeans(), mean=MEAN, std=STD)(torch.full((2, 3, 4, 5), 0.75))
    # (0.75 - mean) / std by hand: 0.5, 2 and 0.
    assert logits[:, :4].tolist() == [[0.5, 2.0, 0.0, 0.0]] * 2
    assert logits.shape == (2, 1000)
    assert logits.dtype == torch.float32


def test_is_frozen_but_lets_gradients_reach_the_images() -> None:
    classifier = Classifier(ChannelMeans(), mean=MEAN, std=STD)
    assert not any(module.training for module in classifier.modules())
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    images = torch.rand(1, 3, 2, 2, requires_grad=True)
    classifier(images)[:, 1].sum().backward()
    # d/dx of the mean of four pixels over std 0.25 is 1.
    assert images.grad is not None
    assert images.grad[0, 1].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert images.grad[0, 0].abs().sum() == 0


def test_normalisation_follows_the_module_but_not_its_checkpoint() -> None:
    classifier = Classifier(ChannelMeans(), mean=MEAN, std=STD)
    assert classifier.double().mean.dtype == torch.float64
    assert [key for key in classifier.state_dict() if "unused" not in key] == []


def test_another_number_of_classes_is_refused_with_both_shapes() -> None:
    classifier = Classifier(ChannelMeans(21843), mean=MEAN, std=STD, name="big")
    with pytest.raises(ConfigError, match=r"big: expected logits \(2, 1000\), found \(2, 21843\)"):
        classifier(torch.rand(2, 3, 4, 4))


def test_an_output_that_is_no_tensor_is_refused() -> None:
    class Pair(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images, images

    with pytest.raises(ConfigError, match=r"model Pair: expected logits \(1, 1000\), found tuple"):
        Classifier(Pair(), mean=MEAN, std=STD)(torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("mean", "std"), [([0.5], STD), (MEAN, [0.5, 0.5]), (MEAN, [0.5, 0.0, 0.5])]
)
def test_a_wrong_normalisation_is_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(ConfigError, match="three numbers each, std above 0"):
        Classifier(ChannelMeans(), mean=mean, std=std)
