"""`valise rectify` and `valise withdraw`: a post changes a note that it has sent.

A text file gives the new subject and body; everything else stays as it is, marked passages at the
places where their words stand now. A document is read by the service. A JSON file is the whole
note, as the API takes it. Without a file the text stays: a date or a subject is mended.
Rectifying a withdrawn note brings it back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from schemas.note import normalise_line, normalise_text
from services.cli import client
from services.cli.submit import FILE_ENDINGS, TEXT_ENDINGS, header
from services.cli.terminal import say
from services.cli.trace import identify
from services.ingest.formats import plain
from services.runtime.marked_passages import look

NoteArgument = Annotated[str, typer.Argument(metavar="ID", help="Identifiant, ou poste/référence.")]
AsJson = Annotated[bool, typer.Option("--json", help="La réponse du service, en JSON.")]


@dataclass(frozen=True, slots=True)
class Sending:
    """What takes the place of a note: a JSON body, or a file with metadata; whether the date is a
    guess."""

    content: bytes = b""
    file: tuple[str, bytes] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    guessed: bool = False

    def request(self) -> dict[str, Any]:
        """This as httpx takes it."""
        headers = {"Valise-Defaulted": "date"} if self.guessed else {}
        if self.file is None:
            headers["Content-Type"] = "application/json"
            return {"content": self.content, "headers": headers}
        parts: dict[str, Any] = {"file": self.file}
        if self.metadata:
            said = json.dumps(self.metadata, ensure_ascii=False).encode()
            parts["metadata"] = (None, said, "application/json")
        return {"files": parts, "headers": headers}


def rectify(
    note: Annotated[str, typer.Option(metavar="ID", help="Identifiant, ou poste/référence.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FICHIER",
            help="Texte, Markdown, document ou JSON ; sans fichier, le texte reste, et --date ou "
            "--subject est donné.",
        ),
    ] = None,
    day: Annotated[str | None, typer.Option("--date", help="Date de la note (AAAA-MM-JJ).")] = None,
    subject: Annotated[str | None, typer.Option(help="Objet de la note.")] = None,
    minor: Annotated[
        bool,
        typer.Option(
            "--minor", help="Rectification mineure : la correction d'un lecteur reste en vigueur."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rectifie une note déjà transmise, ou rétablit une note retirée."""
    changed = _changed(day, subject)
    _check(file, changed)
    address = _address(note)
    shown = _shown(address)
    try:
        sending = _sending(file, note, shown, changed)
    except (OSError, ValueError) as error:
        say(f"{file or note} : {error}", err=True)
        raise typer.Exit(1) from None
    request = sending.request()
    request["headers"]["If-Match"] = shown.headers["ETag"]
    parameters = {"major": "false"} if minor else {}
    answer = _send("PUT", address, params=parameters, **request)
    _say(answer, "rectifiée", as_json)


def _changed(day: str | None, subject: str | None) -> dict[str, str]:
    """The fields that the options state. Raises typer.BadParameter for what is no date."""
    if day is not None:
        try:
            right = date.fromisoformat(day).isoformat() == day
        except ValueError:
            right = False
        if not right:
            raise typer.BadParameter(f"date invalide : {day} (AAAA-MM-JJ)")
    given = {"date": day, "subject": subject}
    return {name: value for name, value in given.items() if value is not None}


def _check(file: Path | None, changed: Mapping[str, str]) -> None:
    """Raises typer.BadParameter where it is not said what to rectify, or said twice."""
    if file is None and not changed:
        raise typer.BadParameter("rien à rectifier : donner un fichier, --date ou --subject")
    if file is None:
        return
    ending = file.suffix.lower()
    if ending == ".json" and changed:
        raise typer.BadParameter(
            "--date et --subject ne valent pas pour un fichier JSON, qui dit toute la note"
        )
    if ending not in (".json", *TEXT_ENDINGS, *FILE_ENDINGS):
        known = ", ".join((*TEXT_ENDINGS, *FILE_ENDINGS, ".json"))
        raise typer.BadParameter(f"format non pris en charge (acceptés : {known})")


def _sending(
    file: Path | None, note: str, shown: httpx.Response, changed: Mapping[str, str]
) -> Sending:
    """What to send in the place of the note that is `shown`. Raises ValueError and OSError where
    the file cannot be read, or there is no text to keep."""
    if file is None:
        if shown.status_code != 200:
            raise ValueError("la note est retirée : donner son texte pour la rétablir")
        before = shown.json()["note"]
        said = {"subject": before["subject"], "body": before["body"]} | dict(changed)
        whole = before | said | {"marked_spans": _passages(before, said)}
        content = json.dumps(whole, ensure_ascii=False).encode()
        return Sending(content, guessed="date" not in changed)
    if file.suffix.lower() == ".json":
        # As it is: what is wrong with it, the service says in French.
        return Sending(file.read_bytes())
    if file.suffix.lower() in FILE_ENDINGS:
        return Sending(file=(file.name, file.read_bytes()), metadata=changed)
    body, guessed = _from_text(file, note, shown, changed)
    return Sending(json.dumps(body, ensure_ascii=False).encode(), guessed=guessed)


def withdraw(note: NoteArgument, as_json: AsJson = False) -> None:
    """Retire une note : elle ne se trouve plus, ni ne se lit. « valise rectify » la rétablit."""
    address = _address(note)
    shown = _shown(address)
    if shown.status_code == 410:
        say(client.detail(shown), err=True)
        raise typer.Exit(1)
    answer = _send("DELETE", address, headers={"If-Match": shown.headers["ETag"]})
    _say(answer, "retirée", as_json)


def _address(note: str) -> str:
    return f"/api/v1/notes/{identify(note)}"


def _shown(address: str) -> httpx.Response:
    """The note as it can be read (200), or that it is withdrawn (410), with its ETag."""
    shown = client.get(address)
    if shown.status_code not in (200, 410) or "ETag" not in shown.headers:
        say(client.detail(shown), err=True)
        raise typer.Exit(1)
    return shown


def _from_text(
    file: Path, note: str, shown: httpx.Response, changed: Mapping[str, str]
) -> tuple[dict[str, Any], bool]:
    """The note with the file's subject and body and what is `changed`, and whether its date is a
    guess.

    Raises ValueError and OSError where the file cannot be read.
    """
    text = plain.read(file.read_bytes())
    said = {"subject": text.subject, "body": text.body} | header(text) | dict(changed)
    for name in ("post", "reference"):
        said.pop(name, None)
    if shown.status_code == 200:
        note_before = shown.json()["note"]
        return note_before | said | {
            "marked_spans": _passages(note_before, said)
        }, "date" not in said
    post, slash, reference = note.partition("/")
    if not slash:
        raise typer.BadParameter(
            "pour rétablir une note retirée avec un texte, la désigner par « poste/référence »"
        )
    # The service keeps the date that the note had.
    today = datetime.now(UTC).date().isoformat()
    return {"post": post, "reference": reference, "date": today} | said, "date" not in said


def _passages(before: Mapping[str, Any], said: dict[str, Any]) -> list[dict[str, Any]]:
    """The marked passages of a note where their words stand in the new text, which is normalised
    for that as the service does; a passage that bears its mark in the text itself, under other
    words now, the service finds. Raises ValueError where they stand nowhere, or several times."""
    said["subject"], said["body"] = normalise_line(said["subject"]), normalise_text(said["body"])
    found = []
    borne = look(before["subject"], before["body"]).passages
    bears = look(said["subject"], said["body"]).passages
    as_many = [each.marks for each in borne] == [each.marks for each in bears]
    by_itself = {("body", each.start, each.end) for each in borne if as_many}
    for span in before["marked_spans"]:
        words = before[span["field"]][span["start"] : span["end"]]
        text = said[span["field"]]
        place = (span["field"], span["start"], span["end"])
        if text.count(words) == 0 and place in by_itself:
            continue
        if text.count(words) != 1:
            raise ValueError(
                f"le passage marqué « {words[:60]} » n'est pas, une seule fois, dans le nouveau "
                "texte : donner la note entière en JSON, avec ses passages (marked_spans)"
            )
        start = text.index(words)
        found.append(span | {"start": start, "end": start + len(words)})
    return found


def _send(method: str, address: str, **request: Any) -> httpx.Response:
    answer = client.send(method, address, **request)
    if answer.status_code not in (200, 202):
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    return answer


def _say(answer: httpx.Response, done: str, as_json: bool) -> None:
    receipt = answer.json()
    if as_json:
        say(json.dumps(receipt, ensure_ascii=False))
        return
    said = done if receipt["outcome"] == "accepted" else f"déjà {done}"
    say(f"note {said}  {receipt['id']} · révision {receipt['revision']}")
    for warning in receipt["warnings"]:
        say(f"  attention : {warning}")
