"""No note of the gold set is taken for a marked one, and a marked one is."""

import json

import pytest

from evaluation.marks import taken_for
from evaluation.records import GOLD


def test_no_note_of_the_gold_set_is_taken_for_a_marked_one() -> None:
    for line in GOLD.read_text("utf-8").splitlines():
        note = json.loads(line)
        assert taken_for(note["subject"], note["body"] or note["subject"]) == [], note["id"]


@pytest.mark.parametrize(
    ("subject", "body", "found"),
    [
        ("Négociation (DR)", "La réforme.", ["restricted"]),
        ("Note", "La réforme.\n\n[SF] Le ministre cède.", ["with passages"]),
        ("Note", "La réforme.\n\n[SECRET] Le ministre cède.", ["refused"]),
    ],
)
def test_a_marked_one_is_counted(subject: str, body: str, found: list[str]) -> None:
    assert taken_for(subject, body) == found
