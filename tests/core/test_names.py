"""Names that become folders."""

import pytest

from oodbench.core.errors import ConfigError
from oodbench.core.names import check_name


@pytest.mark.parametrize(
    "name",
    [
        *("resnet50", "resnet50.a1_in1k", "tf_efficientnet_l2.ns_jft_in1k", "a", "_mine", "7"),
        *(
            "ResNet-50 (mine)".replace("(", "").replace(")", ""),
            "é",
            "网络",
            "a=b,c@d+e",
            "x" * 100,
        ),
    ],
)
def test_names(name: str) -> None:
    assert check_name("model.name", name) == name


def test_a_number_is_its_digits() -> None:
    assert check_name("model.name", 50) == "50"


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "..", ".", ".hidden", "../x", "../../../../x", "/etc", "a/b", "a\\b", "a\nb"),
        *("a\tb", "a|b", "x" * 101, "-x", "=x", "a ", "a.", "x/../../../../../precious", "a\0b"),
        *(None, True, 1.5, ["a"], {"a": 1}, "\udce9"),
    ],
)
def test_refused_names(name: object) -> None:
    with pytest.raises(ConfigError, match=r"^model\.name=.*becomes the name of a folder") as error:
        check_name("model.name", name)
    assert str(error.value).isprintable()
