"""`valise dead-letters`: what could not be processed, why, and once more."""

import json
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

import typer

from services.cli import client
from services.cli.french import App
from services.cli.labels import moment
from services.cli.terminal import say, say_text
from services.cli.trace import identify

PATH = "/api/v1/dead-letters"
PAGE = 100
STATES = {
    "parked": "mise à l'écart",
    "replayed": "relancée",
    "settled": "réglée",
}

app = App(help="Ce qui n'a pas pu être traité.", no_args_is_help=True)

Service = Annotated[str | None, typer.Option(help="Seulement celles de ce service.")]
Reason = Annotated[str | None, typer.Option(help="Seulement celles dont le motif contient ceci.")]
Note = Annotated[str | None, typer.Option(help="Seulement celles de cette note (ID ou référence).")]
AsJson = Annotated[bool, typer.Option("--json", help="La réponse du service, en JSON.")]
Number = Annotated[int, typer.Argument(metavar="NUMÉRO", min=1)]
Found = dict[str, Any]


@app.callback()
def dead_letters() -> None:
    """Ce qui n'a pas pu être traité."""


@app.command("list")
def listed(
    service: Service = None,
    reason: Reason = None,
    note: Note = None,
    replayed: Annotated[
        bool | None, typer.Option("--replayed/--not-replayed", help="Déjà relancées, ou jamais.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Liste les mises à l'écart, des plus récentes aux plus anciennes."""
    asked = _filters(service, reason, note)
    if replayed is not None:
        asked.append(("replayed", str(replayed).lower()))
    count = 0
    for letter in _all(asked):
        say(json.dumps(letter, ensure_ascii=False) if as_json else line(letter))
        count += 1
    if not as_json:
        say(f"{count} mise{'s' if count > 1 else ''} à l'écart")


@app.command("show")
def show(number: Number, as_json: AsJson = False) -> None:
    """Montre une mise à l'écart : motif, origine, octets, et que faire."""
    answer = client.get(f"{PATH}/{number}")
    if answer.status_code != 200:
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    letter = answer.json()
    if as_json:
        say(json.dumps(letter, ensure_ascii=False))
        return
    say(line(letter))
    say(f"origine : {letter['origin']}")
    if letter["replays"]:
        say(f"relancée {letter['replays']} fois, le {moment(letter['replayed_at'])}")
    say(f"que faire : {letter['hint']}")
    for name, value in letter["headers"].items():
        say(f"en-tête {name} : {content(value)}")
    say(f"clé : {content(letter['key'])}")
    say_text(content(letter["value"]))


@app.command("replay")
def replay(
    number: Annotated[int | None, typer.Argument(metavar="NUMÉRO", min=1)] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Toutes celles qui répondent aux filtres.")
    ] = False,
    service: Service = None,
    reason: Reason = None,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Relance une mise à l'écart, ou toutes (--all, service, motif, note), une fois la cause levée.

    Sort en 1 si l'une d'elles n'a pas pu être relancée.
    """
    asked = _filters(service, reason, note)
    if (number is None) == (not everything and not asked):
        raise typer.BadParameter("donner un numéro, --all ou un filtre")
    if number is not None:
        _replay_one(number, as_json)
    else:
        _replay_many(asked, as_json)


def line(letter: Found) -> str:
    """A letter on one line."""
    note = f" · note {letter['note_id']}" if letter["note_id"] else ""
    return (
        f"{letter['number']:>6}  {STATES.get(letter['state'], letter['state']):<14}  "
        f"{moment(letter['at'])}  {letter['service']}{note} : {letter['reason']}"
    )


def content(value: Found | None) -> str:
    """Bytes of the API as text."""
    if value is None:
        return "(rien)"
    shown = str(value["data"])
    return shown if value["encoding"] == "text" else f"(base64) {shown}"


def _replay_one(number: int, as_json: bool) -> None:
    answer = client.post(f"{PATH}/{number}/replay")
    if answer.status_code != 202:
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    letter = answer.json()
    say(json.dumps(letter, ensure_ascii=False) if as_json else line(letter))


def _replay_many(asked: list[tuple[str, str]], as_json: bool) -> None:
    replayed = 0
    refused: list[Found] = []
    after: int | None = 0
    while after is not None:
        answer = client.post(f"{PATH}/replay", params=[*asked, ("after", str(after))])
        if answer.status_code != 200:
            say(client.detail(answer), err=True)
            raise typer.Exit(1)
        done = answer.json()
        replayed += done["replayed"]
        refused += done["refused"]
        after = done["next"]
    if as_json:
        say(json.dumps({"replayed": replayed, "refused": refused}, ensure_ascii=False))
    else:
        for each in refused:
            say(f"{each['number']:>6}  non relancée : {each['detail']}")
        say(f"{replayed} relancée{'s' if replayed > 1 else ''}")
    if refused:
        raise typer.Exit(1)


def _filters(service: str | None, reason: str | None, note: str | None) -> list[tuple[str, str]]:
    note_id: UUID | None = identify(note) if note is not None else None
    given = {"service": service, "reason": reason, "note_id": note_id}
    return [(name, str(value)) for name, value in given.items() if value is not None]


def _all(asked: list[tuple[str, str]]) -> Iterator[Found]:
    """The letters that fit, page by page."""
    before: list[tuple[str, str]] = []
    while True:
        answer = client.get(PATH, [*asked, ("size", str(PAGE)), *before])
        if answer.status_code != 200:
            say(client.detail(answer), err=True)
            raise typer.Exit(1)
        page = answer.json()
        yield from page["letters"]
        if page["next"] is None:
            return
        before = [("before", str(page["next"]))]
