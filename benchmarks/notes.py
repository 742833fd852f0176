"""Notes of real length: 5 KB in the median with a tail to 80 KB, from sentences of the samples."""

import json
import math
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from schemas.events import ClassifiedNote, Kind, NoteEvent, classified
from schemas.note import Note
from services.classify.classifier import classify
from services.runtime.ids import uuid7

SAMPLES = Path(__file__).resolve().parent.parent / "samples" / "notes.jsonl"

MEDIAN_BYTES = 5_000
LONGEST_BYTES = 80_000
SPREAD = 0.8
"""Of the logarithm of the length: one note in twenty has more than 19 KB, one in two thousand is
cut at the longest."""
MODELS = 3
"""Sample notes that one note takes its sentences from, so that its words hang together."""


@cache
def _models() -> list[tuple[dict[str, Any], list[str]]]:
    """Each sample note with its sentences."""
    known = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    return [(note, re.split(r"(?<=[.!?])\s+", note["body"])) for note in known]


def raw_notes(number: int, seed: int, prefix: str = "B") -> Iterator[dict[str, Any]]:
    """That many notes as a post submits them; the same for the same seed, no two alike."""
    chance = random.Random(seed)
    first_day = datetime(2019, 1, 1, tzinfo=UTC)
    for at in range(number):
        chosen = chance.sample(_models(), MODELS)
        sentences = [sentence for _, its in chosen for sentence in its]
        day = first_day + timedelta(days=chance.randrange(2_600))
        yield chosen[0][0] | {
            "reference": f"{prefix}-{seed}-{at:06}",
            "date": day.date().isoformat(),
            "body": _body(chance, sentences, _length(chance)) + f" Dossier numéro{at:06}.",
        }


def notes(number: int, seed: int, prefix: str = "B") -> list[Note]:
    """The same, read as the contract has them."""
    return [
        Note.model_validate_json(json.dumps(raw, ensure_ascii=False))
        for raw in raw_notes(number, seed, prefix)
    ]


def event(note: Note) -> NoteEvent:
    """The event of a note's first submission, now."""
    now = datetime.now(UTC)
    return NoteEvent(
        event_id=uuid7(),
        kind=Kind.SUBMITTED,
        note_id=note.id,
        revision=1,
        at=now,
        received_at=now,
        note=note,
    )


def classified_notes(number: int, seed: int, prefix: str = "B") -> list[ClassifiedNote]:
    """Notes with the tags that the real classifier gives them."""
    return [
        classified(event(note), classify(note), datetime.now(UTC))
        for note in notes(number, seed, prefix)
    ]


def long_body(chance: random.Random, length: int) -> str:
    """An ordinary body of that many bytes or a sentence more."""
    return _body(chance, [one for _, its in _models() for one in its], length)


def _length(chance: random.Random) -> int:
    return min(LONGEST_BYTES, int(MEDIAN_BYTES * math.exp(chance.gauss(0.0, SPREAD))))


def _body(chance: random.Random, sentences: list[str], wanted: int) -> str:
    """Paragraphs of these sentences, their figures changed, until there are bytes enough."""
    parts: list[str] = []
    length = 0
    while length < wanted:
        sentence = re.sub(r"\d", lambda _: str(chance.randrange(10)), chance.choice(sentences))
        parts.append(sentence)
        length += len(sentence.encode()) + 1
    return "".join(part + ("\n\n" if chance.random() < 0.2 else " ") for part in parts).rstrip()
