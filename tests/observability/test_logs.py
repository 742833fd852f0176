"""The log of a deployment in JSON: one line per outcome, and not a word of any note."""

import json
from collections import Counter
from typing import Any

from tests.observability.conftest import SECRET, TRACE, Observed


def lines(observed: Observed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in observed.deployment.logs().splitlines()]


def test_every_outcome_has_one_line(observed: Observed) -> None:
    told = Counter(
        (line["service"], line["topic"], line["outcome"])
        for line in lines(observed)
        if "outcome" in line
    )
    counted = {
        (labels["service"], labels["topic"], labels["outcome"]): value
        for labels, value in observed.samples()["valise_outcomes_total"]
        if value
    }
    assert told == counted


def test_a_note_can_be_followed_by_its_id_and_by_its_trace(observed: Observed) -> None:
    for key, value in (("note_id", observed.note_id), ("trace_id", TRACE)):
        journey = [line for line in lines(observed) if line.get(key) == value]
        assert [line["outcome"] for line in journey] == ["accepted", "classified", "indexed"]
        assert [line["revision"] for line in journey] == [1, 1, 1]
        assert {line["level"] for line in journey} == {"INFO"}
        assert journey[1]["partition"] == 0
        assert journey[1]["offset"] == 0


def test_what_is_parked_or_refused_says_why(observed: Observed) -> None:
    ended = [line for line in lines(observed) if "outcome" in line]
    refused = [line["reason"] for line in ended if line["outcome"] == "refused"]
    assert refused == ["422 date", "415", "422 post"]
    (conflict,) = [line for line in ended if line["outcome"] == "conflict"]
    assert conflict["reason"] == "body"
    (parked,) = [
        line for line in ended if line["outcome"] == "parked" and line["service"] == "classify"
    ]
    assert parked["level"] == "WARNING"
    assert parked["offset"] == 4
    assert parked["reason"].startswith("not an event of notes.submitted")


def test_no_word_of_a_note_is_logged(observed: Observed) -> None:
    assert SECRET not in observed.deployment.logs()
