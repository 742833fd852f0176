"""`valise journal`: who searched, read, changed, administered; whether the chain is whole."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import httpx
import typer

from schemas.journal import Action
from services.cli import client
from services.cli.french import App
from services.cli.labels import moment
from services.cli.terminal import say
from services.cli.trace import identify

PATH = "/api/v1/journal"
PAGE = 500
VERIFY_SECONDS = 3600.0
"""What a check of the whole chain may take: a million entries want about half a minute."""

ACTIONS = {
    "searched": "a cherché",
    "read": "a lu",
    "downloaded": "a téléchargé",
    "followed": "a suivi",
    "submitted": "a transmis",
    "rectified": "a rectifié",
    "withdrawn": "a retiré",
    "corrected": "a corrigé",
    "administered": "a administré",
    "signed_in": "s'est connecté",
    "signed_out": "s'est déconnecté",
    "refused": "accès refusé",
    "pruned": "entrées anciennes retirées",
}

app = App(help="Le journal des accès.")
Found = dict[str, Any]

AsJson = Annotated[bool, typer.Option("--json", help="La réponse du service, en JSON.")]
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]


@app.callback(invoke_without_command=True)
def journal(
    context: typer.Context,
    who: Annotated[str | None, typer.Option(help="Qui : key:12, ou un nom.")] = None,
    action: Annotated[Action | None, typer.Option(help="Seulement cette action.")] = None,
    note: Annotated[str | None, typer.Option(help="Note : ID ou référence.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=FORMATS, help="À partir de."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=FORMATS, help="Avant."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Liste les entrées du journal des accès, des plus récentes aux plus anciennes."""
    if context.invoked_subcommand is not None:
        return
    asked = {
        "who": who,
        "action": action,
        "note": identify(note) if note else None,
        "from": since.astimezone().isoformat() if since else None,
        "to": until.astimezone().isoformat() if until else None,
    }
    count = 0
    for entry in _all([(name, str(value)) for name, value in asked.items() if value]):
        say(json.dumps(entry, ensure_ascii=False) if as_json else line(entry))
        count += 1
    if not count:
        say("aucune entrée ne répond à ces critères", err=True)


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="NUMÉRO:EMPREINTE", help="Une entrée relevée, à retrouver."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Vérifie que rien n'a été modifié, retiré ni ajouté dans le journal (code 1 sinon)."""
    params = [("head", head)] if head else []
    found = _checked(client.send("GET", f"{PATH}/verify", params=params, patience=VERIFY_SECONDS))
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        for fault in found["faults"]:
            say(fault["detail"])
        state = "intact" if found["whole"] else "ALTÉRÉ"
        say(f"{found['entries']} entrées, journal {state}")
        if found["head"]:
            say(f"à relever : {found['head']}")
    if not found["whole"]:
        raise typer.Exit(1)


def line(entry: Found) -> str:
    """An entry on one line."""
    who = " ".join(filter(None, (entry["name"], f"({entry['who']})" if entry["who"] else "")))
    said = "; ".join(f"{name}={_value(value)}" for name, value in entry["details"].items())
    parts = [
        f"{entry['number']:>7}  {moment(entry['at'])}  {who or 'inconnu'}",
        ACTIONS.get(entry["action"], entry["action"]),
        entry["object"],
        f"[{said}]" if said else "",
        f"depuis {entry['address']}" if entry["address"] else "",
    ]
    return "  ".join(filter(None, parts))


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _all(asked: list[tuple[str, str]]) -> Iterator[Found]:
    page: list[tuple[str, str]] = []
    while True:
        found = _checked(client.get(PATH, [*asked, ("size", str(PAGE)), *page]))
        yield from found["entries"]
        if found["next"] is None:
            return
        page = [("before", str(found["next"]))]


def _checked(answer: httpx.Response) -> Found:
    if answer.status_code != 200:
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    found: Found = answer.json()
    return found
