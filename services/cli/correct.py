"""`valise correct`: a reader sets the themes and the countries of a note."""

import json
from typing import Annotated, Any

import httpx
import typer

from schemas.vocabulary import countries, full_subtheme, themes
from services.cli import client
from services.cli.terminal import say
from services.cli.trace import identify


def correct(
    note: Annotated[str, typer.Argument(metavar="ID", help="Identifiant, ou poste/référence.")],
    theme: Annotated[
        list[str] | None, typer.Option(help="Thème ou sous-thème (répétable) : sante.hopital.")
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(help="Pays dont parle la note (code ISO, répétable).")
    ] = None,
    no_theme: Annotated[bool, typer.Option("--no-theme", help="La note n'a aucun thème.")] = False,
    no_country: Annotated[
        bool, typer.Option("--no-country", help="La note ne porte sur aucun pays.")
    ] = False,
    comment: Annotated[str | None, typer.Option(help="Pourquoi, en quelques mots.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Corrige les thèmes et les pays d'une note ; ce qui n'est pas donné reste comme il est."""
    chosen_themes = choice(theme, no_theme, "--theme", "--no-theme")
    chosen_countries = choice(country, no_country, "--country", "--no-country")
    if chosen_themes is None and chosen_countries is None:
        raise typer.BadParameter("donner des thèmes (--theme, --no-theme) ou des pays (--country)")
    body: dict[str, Any] = {
        "themes": None if chosen_themes is None else [_theme(code) for code in chosen_themes],
        "countries": None
        if chosen_countries is None
        else [_country(code) for code in chosen_countries],
    }
    address = f"/api/v1/notes/{identify(note)}"
    headers: dict[str, str] = {}
    if None in body.values():
        shown = client.get(address)
        if shown.status_code != 200:
            say(client.detail(shown), err=True)
            raise typer.Exit(1)
        body = in_force(shown.json()) | {
            name: kept for name, kept in body.items() if kept is not None
        }
        # What was taken over must still hold when the correction comes.
        headers["If-Match"] = shown.headers["ETag"]
    if comment:
        body["comment"] = comment
    answer = _post(f"{address}/corrections", body, headers)
    if answer.status_code not in (200, 202):
        say(client.detail(answer), err=True)
        raise typer.Exit(1)
    receipt = answer.json()
    if as_json:
        say(json.dumps(receipt, ensure_ascii=False))
        return
    said = "acceptée" if receipt["outcome"] == "accepted" else "déjà en vigueur"
    say(
        f"correction {receipt['correction']} {said}  "
        f"{receipt['id']} · révision {receipt['revision']}"
    )


def choice(given: list[str] | None, none: bool, some_name: str, none_name: str) -> list[str] | None:
    """The codes given, an empty list for an explicit none, None where nothing is said.

    Raises typer.BadParameter for both at once.
    """
    if given and none:
        raise typer.BadParameter(f"{some_name} et {none_name} s'excluent")
    if none:
        return []
    return given or None


def in_force(view: dict[str, Any]) -> dict[str, list[str]]:
    """The tags that hold on a note as the API shows it, as a correction names them."""
    codes = [
        code
        for tag in view["themes"]
        for code in ([f"{tag['theme']}.{sub}" for sub in tag["subthemes"]] or [tag["theme"]])
    ]
    about = [tag["country"] for tag in view["countries"] if tag["role"] == "about"]
    return {"themes": codes, "countries": about}


def _theme(code: str) -> str:
    if code in themes():
        return code
    try:
        return full_subtheme(code)
    except ValueError as error:
        known = ", ".join(themes())
        raise typer.BadParameter(f"{error} (thèmes : {known} ; sante.hopital…)") from None


def _country(code: str) -> str:
    if code.upper() not in countries():
        raise typer.BadParameter(f"code de pays inconnu : {code} (deux lettres : DE)")
    return code.upper()


def _post(path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    try:
        with client.client() as http:
            answer = http.post(path, json=body, headers=headers)
    except httpx.TransportError as error:
        raise client.unreachable(error) from None
    if answer.status_code >= 500:
        raise client.Unreachable(f"le service répond en erreur : {client.detail(answer)}")
    return answer
