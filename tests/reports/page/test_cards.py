"""The cards hold everything once, and say where a number comes from."""

import json

import yaml
from run_factory import run_result, score

from oodbench.reports.page.cards import cards
from oodbench.reports.page.sessions import Cost


def shown(content: dict[str, object], number: int) -> dict[str, list[str]]:
    """The texts of a card by heading, as the page's script reads them."""
    read = json.loads(json.dumps(content))
    title, *blocks = read["cards"][number]
    texts = read["texts"]
    found = {texts[heading]: [texts[at] for at in numbers] for _, heading, numbers in blocks}
    return {"": [texts[title]], **found}


def test_a_card_names_what_its_numbers_rest_on() -> None:
    config = {"model": {"std": [0.5, 0.25]}, "seed": 3}
    check = {"name": "zero", "verdict": "warn", "detail": "9 of 10.", "paper": "P 2019"}
    run = run_result(
        "m",
        config=config,
        weights="sha256:77",
        notes=["a note"],
        attack_report={"checks": [check]},
    )
    cost = Cost(engine="eager", versions="Python 3.11, torch 2.4", finished="2026-01-02T03:04")
    card = shown(cards([(run, {"top1": score(0.5, 0.25, 0.75)}, cost)]), 0)
    assert card[""] == ["m × imagenet"]
    assert card["Scores"] == ["top1", "50.0 % [25.0, 75.0]  n=10"]
    assert card["Notes"] == ["a note"]
    assert card["Checks of the attack"] == ["zero", "warn. 9 of 10. [P 2019]"]
    assert card["Command"][0].startswith("oodbench model=m benchmark=imagenet")
    about = dict(zip(card["Run"][::2], card["Run"][1::2], strict=True))
    assert about["Weights"] == "sha256:77"
    assert about["Key"] == run.key
    assert yaml.safe_load("".join(card["Config"])) == config
    computed = dict(zip(card["Computed"][::2], card["Computed"][1::2], strict=True))
    assert computed["Versions"] == "Python 3.11, torch 2.4"


def test_runs_share_what_is_the_same() -> None:
    long = {"benchmark": {"protocol": {"names": ["a name"] * 500}}}
    runs = [run_result("m", config={**long, "seed": seed}) for seed in range(50)]
    content = cards([(run, {}, Cost()) for run in runs])
    assert len(json.dumps(content)) < 5 * len(json.dumps(long))
    assert "".join(shown(content, 49)["Config"]).endswith("seed: 49\n")
