import pytest
import torch
from torch import Tensor, nn

from oodbench.core.errors import ConfigError
from oodbench.models.class_lists import class_list, columns
from oodbench.models.classifier import Classifier, check_outputs, log_probabilities, noise
from oodbench.reference import imagenet_wnids

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
    mend = r"set model.classes=imagenet_21k_google"
    with pytest.raises(ConfigError, match=rf"big: .* 21843 outputs, .* has 1000: {mend}"):
        classifier(torch.rand(2, 3, 4, 4))


def test_outputs_of_another_shape_are_refused_with_both_shapes() -> None:
    class Map(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images

    with pytest.raises(ConfigError, match=r"expected logits \(2, 1000\), found \(2, 3, 4, 4\)"):
        Classifier(Map(), mean=MEAN, std=STD)(torch.rand(2, 3, 4, 4))


def test_an_output_that_is_no_tensor_is_refused() -> None:
    class Pair(nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            return images, images

    with pytest.raises(ConfigError, match=r"model Pair: expected logits \(1, 1000\), found tuple"):
        Classifier(Pair(), mean=MEAN, std=STD)(torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ([0.5], STD, r"mean=\[0.5\]: give three numbers, one for each channel"),
        (MEAN, [0.5, 0.5], r"std=\[0.5,0.5\]: give three numbers"),
        (MEAN, [0.5, 0.0, 0.5], r"std=\[0.5,0.0,0.5\]: give three numbers above 0"),
        ([0.5, torch.nan, 0.5], STD, "mean=.*give three numbers"),
        ([127.5] * 3, STD, r"mean=\[127.5,127.5,127.5\]: .* by 255, mean=\[0.5,0.5,0.5\]"),
    ],
)
def test_a_wrong_normalisation_is_refused(mean: list[float], std: list[float], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^model net: {said}"):
        Classifier(ChannelMeans(), mean=mean, std=std, name="net")


class Linear(nn.Module):
    """Outputs that are a fixed linear map of the pixels."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        weight = torch.randn(outputs, 12, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weight", weight)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T


@pytest.mark.parametrize("name", ["imagenet_1k_background", "imagenet_12k", "imagenet_22k_ms"])
def test_outputs_go_to_the_class_of_their_synset(name: str) -> None:
    outputs = list(class_list(name))
    network = Linear(len(outputs))
    images = torch.rand(2, 3, 2, 2)
    logits = Classifier(network, mean=[0, 0, 0], std=[1, 1, 1], classes=name)(images)
    raw = network(images)
    assert logits.shape == (2, 1000)
    for index, wnid in enumerate(imagenet_wnids()):
        if wnid in outputs:
            assert torch.equal(logits[:, index], raw[:, outputs.index(wnid)])
        else:
            assert logits[:, index].tolist() == [-torch.inf] * 2


@pytest.mark.parametrize("label", [0, 850])
def test_a_class_without_output_makes_no_gradient_nan(label: int) -> None:
    """850 is the teddy bear, which ImageNet-21k lacks: its own loss is infinite."""
    network = Linear(21843)
    classifier = Classifier(network, mean=MEAN, std=STD, classes="imagenet_21k_google")
    images = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    logits = classifier(images)
    assert torch.isneginf(logits[:, 850]).all()
    nn.functional.cross_entropy(logits, torch.tensor([label, label])).backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().sum() > 0
    if label == 0:
        # By hand: the cross-entropy over the 999 outputs that exist.
        kept = [c for c in columns("imagenet_21k_google") if c is not None]
        again = images.detach().clone().requires_grad_()
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
        raw = network((again - mean) / std)[:, kept]
        (raw.logsumexp(1) - raw[:, 0]).mean().backward()
        torch.testing.assert_close(images.grad, again.grad)


class Softmax(Linear):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(1)


def test_declared_probabilities_come_back_from_softmax() -> None:
    network = Softmax(1001)
    images = torch.rand(2, 3, 2, 2)
    settings = {"classes": "imagenet_1k_background", "outputs": "probabilities"}
    logits = Classifier(network, mean=[0, 0, 0], std=[1, 1, 1], **settings)(images)
    # Without the background the rest is renormalised.
    rest = network(images)[:, 1:]
    torch.testing.assert_close(logits.softmax(1), rest / rest.sum(1, keepdim=True))


def test_outputs_are_looked_at_once_before_a_run() -> None:
    Classifier(Linear(1000), mean=MEAN, std=STD).check_outputs(2)
    with pytest.raises(ConfigError, match="set model.outputs=probabilities"):
        Classifier(Softmax(1000), mean=MEAN, std=STD, name="soft").check_outputs(2)
    with pytest.raises(ConfigError, match="set model.outputs=logits"):
        Classifier(Linear(1000), mean=MEAN, std=STD, outputs="probabilities").check_outputs(2)
    with pytest.raises(ConfigError, match="set model.classes=imagenet_1k_background"):
        Classifier(Linear(1001), mean=MEAN, std=STD).check_outputs(2)


def test_a_network_that_takes_another_size_names_the_key() -> None:
    with pytest.raises(ConfigError, match="fails on pictures of model.input_size=3 pixels: mat1"):
        Classifier(Linear(1000), mean=MEAN, std=STD).check_outputs(3)


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
