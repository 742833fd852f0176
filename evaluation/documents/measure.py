"""What became of the documents in a real embedded deployment, field by field."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient

from evaluation.documents.folder import FILE_DAY, Right, Sent
from services.embedded import create
from services.runtime.access import key_file
from services.runtime.settings import Settings

NOTES = "/api/v1/notes"
FIELDS = (
    "subject",
    "reference",
    "date",
    "genre",
    "post",
    "marking",
    "special_france",
    "marked",
    "author",
    "addressees",
)
DEFAULTS = {"genre": "note", "marking": "non_protege"}
WITHIN = 180.0
"""Seconds in which a note is indexed: the classifier starts first."""


@dataclass
class Figures:
    """How often each field was right, of how many notes and files; the same of notes that have
    something to say there (`said`: a mark, an author, another genre than a note's); files `whole`,
    without an error; the errors in words."""

    right: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    said_right: Counter[str] = field(default_factory=Counter)
    notes: int = 0
    files: int = 0
    whole: int = 0
    errors: list[str] = field(default_factory=list)


def measure(sent: Sequence[Sent], data: Path) -> Figures:
    """Send these to a deployment in that folder; what is right and what is not."""
    found = Figures()
    data.mkdir(mode=0o700)
    with TestClient(create(Settings(data=data)), base_url="http://localhost") as http:
        http.headers["Authorization"] = f"Bearer {key_file.read_key(data / key_file.NAME)}"
        answers = [(each, _submitted(http, each)) for each in sent]
        for each, ids in answers:
            before = len(found.errors)
            _compare(each, [_note(http, identity) for identity in ids], found)
            found.files += 1
            found.whole += len(found.errors) == before
    return found


def _submitted(http: httpx.Client, sent: Sent) -> list[str]:
    """The ids of the notes that came of a file."""
    data = sent.data if isinstance(sent.data, bytes) else sent.data()
    metadata = {"date": FILE_DAY} | sent.metadata
    answer = http.post(
        NOTES,
        files={"file": (sent.name, data)},
        data={"metadata": json.dumps(metadata)},
        headers={"Valise-Defaulted": "date"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [line["id"] for line in lines if line.get("id") and "problem" not in line]


def _note(http: httpx.Client, identity: str) -> dict[str, Any]:
    """A note, once it is indexed."""
    end = time.monotonic() + WITHIN
    while (answer := http.get(f"{NOTES}/{identity}")).status_code != httpx.codes.OK:
        if time.monotonic() > end:
            raise TimeoutError(f"{identity} is not indexed: {answer.text}")
        time.sleep(0.2)
    found: dict[str, Any] = answer.json()
    return dict(found.get("note", found))


def _compare(sent: Sent, notes: list[dict[str, Any]], found: Figures) -> None:
    waiting = list(notes)
    for right in sent.right:
        found.notes += 1
        note = _closest(right, waiting)
        if note is None:
            found.said.update(each for each in FIELDS if _is_said(each, getattr(right, each)))
            found.errors.append(f"{sent.name}: no note {right.reference}")
            continue
        waiting.remove(note)
        for name in FIELDS:
            got, wanted = _value(note, name), getattr(right, name)
            said = _is_said(name, wanted)
            found.said[name] += said
            if _same(name, got, wanted):
                found.right[name] += 1
                found.said_right[name] += said
            else:
                found.errors.append(f"{sent.name}: {name}: {_short(got)}, not {_short(wanted)}")
    found.errors += [f"{sent.name}: a note too many: {_short(each['subject'])}" for each in waiting]


def _is_said(name: str, wanted: Any) -> bool:
    return bool(wanted) and wanted != DEFAULTS.get(name)


def _closest(right: Right, notes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The note that has most in common with the right one."""
    return max(
        notes,
        key=lambda note: sum(
            _same(name, _value(note, name), getattr(right, name)) for name in FIELDS
        ),
        default=None,
    )


def _value(note: dict[str, Any], name: str) -> Any:
    if name == "marked":
        return tuple(_passages(note))
    value = note.get(name)
    return tuple(value) if isinstance(value, list) else value


def _passages(note: dict[str, Any]) -> Iterator[str]:
    for span in note.get("marked_spans", []):
        text = note["subject" if span["field"] == "subject" else "body"]
        yield text[span["start"] : span["end"]]


def _same(name: str, got: Any, wanted: Any) -> bool:
    """Whether a value is right; an author may have a title behind the name, a passage its mark."""
    if name == "author":
        return bool(got) == bool(wanted) and (not wanted or str(got).startswith(wanted))
    if name == "marked":
        return len(got) == len(wanted) and all(
            _plain(words) in _plain(passage) and len(passage) <= len(words) + 40
            for passage, words in zip(got, wanted, strict=True)
        )
    return bool(got == wanted)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 100 else f"{said[:99]}…"
