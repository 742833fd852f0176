"""`valise login`: a link that opens the pages in a browser, once, with the rights of the key."""

import json
from typing import Annotated

import typer

from services.cli import client
from services.cli.labels import moment
from services.cli.terminal import say

PATH = "/api/v1/sign-in-links"


def login(
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Donne un lien qui ouvre les pages, une seule fois et dans les dix minutes."""
    answer = client.post(PATH)
    if answer.status_code != 201:
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    found = answer.json()
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    say(f"À ouvrir dans un navigateur avant le {moment(found['expires_at'])} :", err=True)
    say(found["url"])
