"""`valise trace`: where a note is, or where all notes of a post are."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from schemas.answers import State
from schemas.note import note_id
from services.cli import client
from services.cli.labels import STATES, STEPS, moment
from services.cli.terminal import say

PAGE = 200


def trace(
    note: Annotated[
        str | None, typer.Argument(metavar="ID", help="Identifiant, ou poste/référence.")
    ] = None,
    post: Annotated[
        str | None, typer.Option(help="Poste ; sans référence : toutes ses notes.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Référence d'une note du poste.")] = None,
    state: Annotated[
        list[State] | None, typer.Option(help="Avec --post : seulement les notes dans cet état.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Dit où en est une note : reçue, classée, indexée, ou mise à l'écart et pourquoi.

    Avec --post seul : où en est chacune des notes de ce poste.
    """
    if (note is None) == (post is None) or (reference is not None and post is None):
        raise typer.BadParameter("donner un identifiant, ou --post et au besoin --reference")
    if note is None and reference is None:
        assert post is not None
        _notes_of(post, state or [], as_json)
        return
    if state:
        raise typer.BadParameter("--state ne vaut que pour toutes les notes d'un poste (--post)")
    wanted = identify(note) if note is not None else note_id(post or "", reference or "")
    response = client.get(f"/api/v1/notes/{wanted}/trace")
    if response.status_code != 200:
        say(client.detail(response), err=True)
        raise typer.Exit(1)
    found = response.json()
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    said = STATES.get(found["state"], found["state"])
    say(f"{found['id']} · révision {found['revision']} · {said}")
    for step in found["steps"]:
        name = STEPS.get(step["step"], step["step"])
        detail = f" : {step['detail']}" if step["detail"] else ""
        say(f"  {moment(step['at'])}  {name}{detail}")


def identify(note: str) -> UUID:
    """The id meant by an id or by `post/reference`. Raises typer.BadParameter."""
    post, slash, reference = note.partition("/")
    if slash:
        return note_id(post, reference)
    try:
        return UUID(note)
    except ValueError:
        raise typer.BadParameter(
            "un identifiant (UUID) ou « poste/référence » est attendu"
        ) from None


def _notes_of(post: str, states: list[State], as_json: bool) -> None:
    """Say where each note of the post is, page by page."""
    asked = [("post", post), ("size", str(PAGE)), *(("state", state.value) for state in states)]
    after: list[tuple[str, str]] = []
    count = 0
    while True:
        response = client.get("/api/v1/notes", [*asked, *after])
        if response.status_code != 200:
            say(client.detail(response), err=True)
            raise typer.Exit(1)
        page = response.json()
        for each in page["notes"]:
            say(json.dumps(each, ensure_ascii=False) if as_json else _place(each))
        count += len(page["notes"])
        if page["next"] is None:
            break
        after = [("after", page["next"])]
    if not as_json:
        say(f"{count} note{'s' if count > 1 else ''}")


def _place(note: dict[str, Any]) -> str:
    at = note["parked_at"] or note["indexed_at"] or note["received_at"]
    state = STATES.get(note["state"], note["state"])
    reason = f" : {note['parked_reason']}" if note["parked_reason"] else ""
    return f"{state:<14} {moment(at)}  {note['reference']}  (révision {note['revision']}){reason}"
