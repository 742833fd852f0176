"""`valise expunge`: a note that must not be here leaves every store."""

import json
from typing import Annotated
from uuid import UUID

import typer

from services.cli import client
from services.cli.french import confirmed
from services.cli.labels import STATES, moment
from services.cli.preview import FIELDS
from services.cli.terminal import say
from services.cli.trace import identify

OK, GONE = 200, 410

PATIENCE_SECONDS = 3600.0
"""Files of some gigabytes are rewritten; the answer comes when that is done."""


def expunge(
    note: Annotated[str, typer.Argument(metavar="ID", help="Identifiant, ou poste/référence.")],
    reason: Annotated[
        str, typer.Option(help="Pourquoi, pour le registre des expurgations : rien de la note.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Sans demander confirmation.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Expurge une note : journal, registre, index, originaux, mises à l'écart. Sans retour.

    Interrompue, la commande se relance et achève. Sort en 1 si tout n'est pas encore effacé.
    """
    wanted = identify(note)
    if not yes:
        say(*_described(note, wanted), err=True)
        if not confirmed("Expurger cette note ? Rien n'en restera, et c'est sans retour."):
            raise typer.Abort
    answer = client.post(
        f"/api/v1/notes/{wanted}/expunge", body={"reason": reason}, patience=PATIENCE_SECONDS
    )
    if answer.status_code not in (200, 202):
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    done = answer.json()
    finished = done["finished_at"] is not None
    if as_json:
        say(json.dumps(done, ensure_ascii=False))
    elif finished:
        say(f"expurgée le {moment(done['finished_at'])}  {done['id']}")
    else:
        say(
            f"{done['id']} n'est plus consultable, mais ses octets ne sont pas encore tous "
            "effacés (classify est arrêté ou en retard) : relancer la commande",
            err=True,
        )
    if not finished:
        raise typer.Exit(1)


def _described(asked: str, wanted: UUID) -> list[str]:
    """Which note this is, as far as the key may know: post, reference, date, subject."""
    shown = client.get(f"/api/v1/notes/{wanted}")
    if shown.status_code == OK:
        found = shown.json()["note"]
        return [
            f"{label:<10} {found[name]}"
            for name, label in FIELDS.items()
            if name in ("post", "reference", "date", "subject")
        ] + [f"{'id':<10} {wanted}"]
    said = [f"{'note':<10} {asked}", f"{'id':<10} {wanted}"]
    if shown.status_code == GONE:
        return [*said, f"{'état':<10} {STATES['withdrawn']}"]
    traced = client.get(f"/api/v1/notes/{wanted}/trace")
    if traced.status_code == OK:
        state = traced.json()["state"]
        return [*said, f"{'état':<10} {STATES.get(state, state)}", client.detail(shown)]
    return [*said, client.detail(traced)]
