"""`valise trace`: where a note is."""

import json
from typing import Annotated
from uuid import UUID

import typer

from schemas.note import note_id
from services.cli import client
from services.cli.labels import STATES, STEPS, moment


def trace(
    note: Annotated[str, typer.Argument(metavar="ID", help="Identifiant, ou poste/référence.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Dit où en est une note : reçue, classée, indexée, ou mise à l'écart et pourquoi."""
    response = client.get(f"/api/v1/notes/{identify(note)}/trace")
    if response.status_code != 200:
        typer.echo(client.detail(response), err=True)
        raise typer.Exit(1)
    found = response.json()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    state = STATES.get(found["state"], found["state"])
    typer.echo(f"{found['id']} · révision {found['revision']} · {state}")
    for step in found["steps"]:
        name = STEPS.get(step["step"], step["step"])
        detail = f" : {step['detail']}" if step["detail"] else ""
        typer.echo(f"  {moment(step['at'])}  {name}{detail}")


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
