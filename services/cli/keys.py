"""`valise keys`: who may do what, for administrators."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import httpx
import typer

from schemas.access import EVERY_POST, Role
from schemas.vocabulary import Marking
from services.cli import client
from services.cli.french import App, confirmed
from services.cli.labels import moment
from services.cli.terminal import say

PATH = "/api/v1/keys"
LAST = 409
"""The answer where the last key that administers would be revoked."""

app = App(help="Les clés d'accès et leurs droits.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="La réponse du service, en JSON.")]
Number = Annotated[int, typer.Argument(metavar="NUMÉRO", min=1)]


@app.callback()
def keys() -> None:
    """Les clés d'accès et leurs droits."""


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NOM", help="À qui ou à quoi elle sert.")],
    role: Annotated[list[Role], typer.Option(help="Un rôle, ou plusieurs.")],
    post: Annotated[
        list[str] | None,
        typer.Option(help="Un poste au nom duquel elle dépose, ou plusieurs ; « * » pour tous."),
    ] = None,
    clearance: Annotated[
        Marking, typer.Option(help="La mention la plus restrictive qu'elle peut lire.")
    ] = Marking.NON_PROTEGE,
    special_france: Annotated[
        bool, typer.Option("--special-france", help="Lit aussi « Spécial France ».")
    ] = False,
    days: Annotated[
        int | None, typer.Option(min=1, max=3660, help="Jours de validité ; sinon sans fin.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Crée une clé et la montre, cette seule fois."""
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    rights = {
        "roles": list(role),
        "posts": post or [],
        "clearance": clearance,
        "special_france": special_france,
    }
    answer = client.post(PATH, body={"name": name, "rights": rights, "expires_at": expires})
    _show_new(_checked(answer, 201), as_json)


@app.command("list")
def listed(as_json: AsJson = False) -> None:
    """Liste les clés, les plus récentes d'abord."""
    found = _checked(client.get(PATH), 200)
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    for key in found["keys"]:
        say(line(key))


@app.command("rotate")
def rotate(
    number: Number,
    overlap: Annotated[
        int, typer.Option(min=0, help="Heures pendant lesquelles l'ancienne clé vaut encore.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Remplace une clé par une autre de mêmes droits, montrée cette seule fois."""
    answer = client.post(f"{PATH}/{number}/rotate", params=[("overlap_hours", str(overlap))])
    _show_new(_checked(answer, 201), as_json)


@app.command("revoke")
def revoke(
    number: Number,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Sans confirmation, même pour la dernière clé qui administre."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Révoque une clé : elle ne vaut plus. Demande confirmation pour la dernière qui administre."""
    forced = {"force": "true"}
    answer = client.send("DELETE", f"{PATH}/{number}", params=forced if yes else {})
    if answer.status_code == LAST and not yes:
        say(client.detail(answer), err=True)
        if not confirmed(f"Révoquer tout de même la clé {number} ?"):
            raise typer.Abort
        answer = client.send("DELETE", f"{PATH}/{number}", params=forced)
    found = _checked(answer, 200)
    say(json.dumps(found, ensure_ascii=False) if as_json else line(found))


def line(key: dict[str, Any]) -> str:
    """A key on one line."""
    rights = key["rights"]
    used = (
        f"utilisée le {moment(key['last_used_at'])}" if key["last_used_at"] else "jamais utilisée"
    )
    parts = [", ".join(sorted(rights["roles"]))]
    if rights["posts"]:
        parts.append(f"postes : {_posts(rights['posts'])}")
    if Role.READ in rights["roles"]:
        seen = rights["clearance"] + (" + special_france" if rights["special_france"] else "")
        parts.append(f"lit : {seen}")
    return f"{key['number']:>4}  {_state(key)}  {key['name']} ({' ; '.join(parts)}), {used}"


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return f"révoquée le {moment(key['revoked_at'])}"
    if not key["expires_at"]:
        return "valable"
    over = datetime.fromisoformat(key["expires_at"]) <= datetime.now(UTC)
    return f"{'expirée le' if over else 'valable jusqu’au'} {moment(key['expires_at'])}"


def _posts(codes: Sequence[str]) -> str:
    return "tous" if EVERY_POST in codes else ", ".join(sorted(codes))


def _show_new(key: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(json.dumps(key, ensure_ascii=False))
        return
    say(line(key), err=True)
    say("À conserver maintenant : elle ne sera plus montrée.", err=True)
    say(key["key"])


def _checked(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    found: dict[str, Any] = answer.json()
    return found
