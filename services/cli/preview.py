"""`valise submit --preview`: what would be read in a document and how it would be tagged.

Documents are read on this machine, by the code with which the service reads them; the service tags
the text and keeps nothing.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from schemas import vocabulary
from services.cli import client
from services.runtime.errors import Misconfigured

PATH = "/api/v1/preview"
EVIDENCE = 3
"""Passages shown for each tag: the best ones come first."""

LONG_SUBJECT = 60

FIELDS = {
    "subject": "objet",
    "reference": "référence",
    "date": "date",
    "post": "poste",
    "genre": "genre",
    "cites": "cite",
    "attachments": "joints",
}


@dataclass(frozen=True, slots=True)
class Previewed:
    """One document: what was read in it and its tags as the API gives them; or why not."""

    source: str
    read: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    refused: str = ""


def of_note(
    http: httpx.Client, source: str, payload: dict[str, Any] | bytes, defaulted: Sequence[str]
) -> Previewed:
    """The preview of a note as the API takes it; `defaulted` was guessed. Raises Unreachable."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    try:
        given = json.loads(content)
    except ValueError:
        given = None
    known = given if isinstance(given, dict) else {}
    read = {name: known[name] for name in FIELDS if known.get(name)}
    return _tagged(http, source, read | _guessed(defaulted), content)


def of_file(
    http: httpx.Client, path: Path, metadata: Mapping[str, Any], defaulted: Sequence[str]
) -> list[Previewed]:
    """The preview of each document in a file.

    The metadata win over the document, except those that are `defaulted`. Raises OSError for a file
    that cannot be read, Misconfigured where the readers are not installed, Unreachable.
    """
    try:
        from services.ingest.formats import Unreadable  # noqa: PLC0415  (not in every install)
        from services.ingest.formats.apart import extract_apart  # noqa: PLC0415
    except ImportError as error:
        raise Misconfigured(
            "l'aperçu d'un document demande l'installation complète (valise-notes[embedded]) : "
            f"{error}"
        ) from None
    stated = {name: value for name, value in metadata.items() if name not in defaulted}
    found = []
    for document in asyncio.run(extract_apart(path.read_bytes(), path.name)):
        source = str(path.parent / document.name)
        if isinstance(document, Unreadable):
            found.append(Previewed(source, refused=document.detail))
            continue
        read = {"reference": PurePosixPath(document.name).stem} | dict(metadata)
        read |= dict(document.fields) | {"subject": document.subject} | stated
        read |= _guessed(
            [
                name
                for name in ("reference", *defaulted)
                if name not in document.fields and name not in stated
            ]
        )
        if document.attachments:
            read["attachments"] = ", ".join(document.attachments)
        note = {name: read[name] for name in ("subject", "post") if name in read}
        content = json.dumps(note | {"body": document.body}).encode()
        found.append(_tagged(http, source, read, content))
    return found


def lines(read: Mapping[str, Any], tags: Mapping[str, Any]) -> Iterator[str]:
    """A preview for a terminal: what was read, then each tag with what speaks for it."""
    for name, label in FIELDS.items():
        if read.get(name):
            value = ", ".join(read[name]) if isinstance(read[name], list) else read[name]
            guess = " (d'après le fichier)" if name in read.get("guessed", ()) else ""
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


def _guessed(names: Sequence[str]) -> dict[str, Any]:
    return {"guessed": list(names)} if names else {}


def _tagged(http: httpx.Client, source: str, read: dict[str, Any], content: bytes) -> Previewed:
    try:
        response = http.post(PATH, content=content, headers={"Content-Type": "application/json"})
    except httpx.TransportError as error:
        raise client.unreachable(error) from None
    if response.status_code >= 500:
        raise client.Unreachable(f"le service répond en erreur : {client.detail(response)}")
    if response.status_code != 200:
        return Previewed(source, read, refused=client.detail(response))
    tags = response.json()
    kept = ("release", "themes", "countries", "organisations")
    return Previewed(source, read, {name: tags[name] for name in kept})
