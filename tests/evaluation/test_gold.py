"""The gold set gates: what a competent reader would say of notes like real ones.

The bounds lie below what was measured (docs/quality.md) by about what two notes are worth.
"""

import json
from typing import Any

import pytest

from evaluation.records import GOLD, Counts, record
from evaluation.themes import shipped
from schemas.vocabulary import Role, countries, posts, subthemes
from services.classify.classifier import classify_texts

LEAST_THEMES, LEAST_ABOUT = 0.88, 0.95

Given = dict[str, Any]


@pytest.fixture(scope="module")
def gold() -> list[Given]:
    return [json.loads(line) for line in GOLD.read_text(encoding="utf-8").splitlines()]


def test_it_says_only_what_the_contract_knows(gold: list[Given]) -> None:
    assert len({one["id"] for one in gold}) == len(gold) >= 60
    for one in gold:
        assert one["post"] in posts()
        assert {*one["about"], *one["mentioned"], *one["maybe_countries"]} <= set(countries())
        assert set(one["subthemes"]) <= set(subthemes())
        assert {code.partition(".")[0] for code in one["subthemes"]} <= {
            *one["themes"],
            *one["maybe"],
        }
        record(one)


def test_themes(gold: list[Given]) -> None:
    counts = Counts()
    for one in gold:
        read = record(one)
        counts.add(read, shipped(read))
    assert counts.f1 >= LEAST_THEMES, counts


def test_countries(gold: list[Given]) -> None:
    right = wrong = missed = 0
    for one in gold:
        tags = classify_texts(one["subject"], one["body"], one["post"]).countries
        about = {tag.country for tag in tags if tag.role is Role.ABOUT}
        wanted = set(one["about"])
        right += len(about & wanted)
        missed += len(wanted - about)
        wrong += len(about - wanted - set(one["maybe_countries"]))
    assert 2 * right / (2 * right + wrong + missed) >= LEAST_ABOUT, (right, wrong, missed)
