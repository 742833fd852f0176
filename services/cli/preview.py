"""`valise submit --preview`: what the service would read in a document and how it would tag it.

The service keeps nothing of it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from schemas import vocabulary
from services.cli import client

EVIDENCE = 3
"""Passages shown for each tag: the best ones come first."""

LONG_SUBJECT = 60

KEPT = ("release", "themes", "countries", "organisations", "warnings", "problem")
"""Of the service's answer: what is not the text itself."""

FIELDS = {
    "subject": "objet",
    "reference": "référence",
    "date": "date",
    "post": "poste",
    "genre": "genre",
    "author": "auteur",
    "addressees": "pour",
    "action": "suite",
    "cites": "cite",
    "attachments": "joints",
}


GUESSED = {
    "subject": "d'après la première ligne",
    "reference": "d'après le fichier",
    "date": "d'après le fichier",
    "genre": "par défaut",
}
"""Fields that may be guessed, and from what."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """One document: what was read in it and its tags as the API gives them, with what a sender
    should know; or why not."""

    source: str
    read: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    refused: str = ""


def of_note(
    source: str,
    payload: Mapping[str, Any] | bytes,
    guessed: Sequence[str],
    answer: httpx.Response,
    notices: Sequence[str] = (),
) -> Previewed:
    """The preview of a note as the API takes it, of which the sender guessed these fields;
    `notices` are what is known of it here."""
    if answer.status_code != 200:
        return Previewed(source, refused=client.detail(answer))
    known = json.loads(payload) if isinstance(payload, bytes) else payload
    read = {name: known[name] for name in FIELDS if known.get(name)}
    tags = _tags(answer.json())
    if notices:
        tags["warnings"] = [*tags.get("warnings", ()), *notices]
    return Previewed(source, read | _guessed(guessed), tags)


def of_file(
    path: Path, metadata: Mapping[str, Any], defaulted: Sequence[str], answer: httpx.Response
) -> list[Previewed]:
    """The preview of each document in a file that was sent with these metadata, of which the sender
    guessed `defaulted`."""
    source = str(path)
    answers = client.lines(answer)
    if answers is None:
        if answer.status_code != 200:
            return [Previewed(source, refused=client.detail(answer))]
        return [_of_document(source, answer.json(), metadata, defaulted)]
    return [
        _of_document(document_name(source, line), line["preview"], metadata, defaulted)
        if "preview" in line
        else Previewed(document_name(source, line), refused=client.problem_text(line["problem"]))
        for line in answers
    ]


def document_name(file: str, answer: Mapping[str, Any]) -> str:
    """The name of one of several documents in a file; of a classified one the service says none."""
    if "name" in answer:
        return str(Path(file).parent / answer["name"])
    return f"{file} (document n° {answer['line']})"


def lines(read: Mapping[str, Any], tags: Mapping[str, Any]) -> Iterator[str]:
    """A preview for a terminal: what was read, then each tag with what speaks for it."""
    for name, label in FIELDS.items():
        if read.get(name):
            value = ", ".join(read[name]) if isinstance(read[name], list) else read[name]
            guess = f" ({GUESSED[name]})" if name in read.get("guessed", ()) else ""
            yield f"  {label:<10} {value}{guess}"
    for tag in tags["themes"]:
        theme = vocabulary.themes()[tag["theme"]]
        subs = ", ".join(theme.subthemes.get(sub, sub) for sub in tag["subthemes"])
        yield _line("thème", f"{theme.label} ({subs})" if subs else theme.label, tag)
    for tag in tags["countries"]:
        name = vocabulary.countries()[tag["country"]]
        yield _line("pays", name if tag["role"] == "about" else f"[mentionné] {name}", tag)
    for tag in tags["organisations"]:
        yield _line("organisme", tag["id"], tag)
    if not tags["themes"] and not tags["countries"]:
        yield "  aucun thème ni pays"
    for warning in tags.get("warnings", ()):
        yield f"  à savoir   {warning}"
    if "problem" in tags:
        yield f"  à corriger {client.problem_text(tags['problem'])}"


def in_short(read: Mapping[str, Any]) -> str:
    """What was read in a document, on part of a line: reference, date, subject."""
    subject = str(read["subject"])
    if len(subject) > LONG_SUBJECT:
        subject = subject[: LONG_SUBJECT - 1] + "…"
    reference = read.get("reference") or "sans référence"
    day = read.get("date") or "sans date"
    return f"{reference}, {day}, « {subject} »"


def _line(kind: str, label: str, tag: Mapping[str, Any]) -> str:
    texts = dict.fromkeys(" ".join(each["text"].split()) for each in tag["evidence"])
    shown = ", ".join(f"« {text} »" for text in list(texts)[:EVIDENCE])
    return f"  {kind:<10} {label}{' : ' if shown else ''}{shown}"


def _guessed(names: Iterable[str]) -> dict[str, Any]:
    known = set(names)
    found = [name for name in GUESSED if name in known]
    return {"guessed": found} if found else {}


def _of_document(
    source: str, found: Mapping[str, Any], metadata: Mapping[str, Any], defaulted: Sequence[str]
) -> Previewed:
    stated = {name: value for name, value in metadata.items() if name not in defaulted}
    own = found["read"]
    read = {"reference": PurePosixPath(found["name"]).stem} | dict(metadata) | own | stated
    unsaid = [name for name in ("reference", *defaulted) if name not in own]
    guessed = {*own.get("guessed", ()), *unsaid} - stated.keys()
    return Previewed(source, read | _guessed(guessed), _tags(found))


def _tags(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in KEPT if name in found}
