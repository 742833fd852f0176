"""`valise login`: a link that opens the pages in a browser, once, with the rights of the key."""

import json
from typing import Annotated

import typer

from services.cli import client
from services.cli.labels import moment

PATH = "/api/v1/sign-in-links"


def login(
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Donne un lien qui ouvre les pages, une seule fois et dans les dix minutes."""
    answer = client.post(PATH)
    if answer.status_code != 201:
        typer.echo(client.detail(answer), err=True)
        raise typer.Exit(1)
    found = answer.json()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"À ouvrir dans un navigateur avant le {moment(found['expires_at'])} :", err=True)
    typer.echo(found["url"])
