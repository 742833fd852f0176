"""Training: what it reads, that it learns and repeats itself, that its weights survive the file."""

from pathlib import Path

import pytest

from evaluation import training
from evaluation.records import Counts, Record, read, record
from services.classify import linear

WORDS = {
    "travail": "usine atelier équipe",
    "sante": "guérison lit infirme",
    "protection_sociale": "aide foyer",
}


def texts() -> list[Record]:
    """Forty made-up texts, each theme with words of its own that no lexicon holds, and none."""
    found = []
    for at in range(40):
        theme = [*WORDS, None][at % 4]
        text = f"{WORDS[theme]} dossier" if theme else "vent pluie dossier"
        given = {"id": f"{'ab'[at % 8 // 4]}-{at}", "labels": [theme] if theme else []}
        found.append(record(given | {"title": f"Note {text}", "text": f"{text} {text}"}))
    return found


def test_it_learns_words_that_no_lexicon_knows() -> None:
    model = training.train(texts())
    judged = training.totals(model, [training.examples(one)[0] for one in texts()])
    counts = Counts()
    for one in judged:
        found = training.probabilities(one, model)
        counts.add(one.record, [theme for theme, score in found.items() if score >= 0.5])
    assert counts.f1 == 1.0


def test_the_same_texts_give_the_same_weights_and_they_survive_the_file() -> None:
    first, second = training.train(texts()), training.train(texts())
    written = linear.written(first, ["Provenance: made up."])
    assert written == linear.written(second, ["Provenance: made up."])
    assert linear.written(linear.parsed(written.splitlines()), ["Provenance: made up."]) == written


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text(
        '{"id": "a-1", "labels": []}\n{"id": "a-2", "labels": ["sport"]}\n', encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"line 2.*sport"):
        read(file)


def test_a_damaged_file_of_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="no line '@"):
        linear.parsed(["usine\t1\t2\t3\t4"])


def test_how_found_themes_are_counted() -> None:
    counts = Counts()
    counts.add(
        record({"id": "a-1", "labels": ["sante"], "single_label": True}), ["sante", "travail"]
    )
    counts.add(record({"id": "a-2", "labels": [], "maybe": ["travail"]}), ["travail"])
    counts.add(record({"id": "a-3", "labels": []}), ["sante"])
    counts.add(record({"id": "a-4", "labels": ["travail"]}), [])
    assert (counts.right, counts.wrong, counts.missed) == (1, 1, 1)
    assert counts.f1 == 0.5
