"""`valise search`: the search box from a terminal."""

import html
import json
import re
from typing import Annotated, Any

import typer

from schemas import vocabulary
from schemas.marks import names
from schemas.query import DEFAULT_PAGE, MAX_PAGE, Sort
from services.cli import client
from services.cli.labels import countries, themes
from services.cli.terminal import say

Several = list[str] | None

WORDS = (
    'Mots cherchés ; entre apostrophes pour une "expression" ou une exclusion : '
    "'retraite -Chine'."
)


def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="MOTS", help=WORDS)] = None,
    theme: Annotated[Several, typer.Option(help="Thème (répétable).")] = None,
    subtheme: Annotated[Several, typer.Option(help="Sous-thème (répétable).")] = None,
    country: Annotated[Several, typer.Option(help="Pays dont parle la note (code ISO).")] = None,
    country_any: Annotated[Several, typer.Option(help="Pays même seulement mentionné.")] = None,
    post: Annotated[Several, typer.Option(help="Poste qui a envoyé la note.")] = None,
    genre: Annotated[Several, typer.Option(help="Genre de document.")] = None,
    language: Annotated[Several, typer.Option(help="Langue de la note (code ISO 639).")] = None,
    date_from: Annotated[str | None, typer.Option("--from", help="Depuis (AAAA-MM-JJ).")] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="Jusqu'au (AAAA-MM-JJ).")] = None,
    sort: Annotated[Sort, typer.Option(help="Ordre des notes.")] = Sort.RELEVANCE,
    size: Annotated[int, typer.Option(min=1, max=MAX_PAGE, help="Notes par page.")] = DEFAULT_PAGE,
    cursor: Annotated[str | None, typer.Option(help="Suite d'une page.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="La réponse du service, en JSON.")
    ] = False,
) -> None:
    """Cherche des notes par mots et par filtres. Sort en 1 si aucune n'est trouvée."""
    several = {
        "theme": theme,
        "subtheme": subtheme,
        "country": country,
        "country_any": country_any,
        "post": post,
        "genre": genre,
        "language": language,
    }
    parameters = [(name, value) for name, values in several.items() for value in values or []]
    single = {"q": " ".join(words or []), "from": date_from, "to": date_to, "cursor": cursor}
    parameters += [(name, value) for name, value in single.items() if value]
    parameters += [("sort", sort.value), ("size", str(size))]
    response = client.get("/api/v1/search", parameters)
    if response.status_code != 200:
        say(client.detail(response), err=True)
        raise typer.Exit(2 if response.status_code == 422 else 1)
    page = response.json()
    say(*([json.dumps(page, ensure_ascii=False)] if as_json else as_text(page)))
    if not page["hits"]:
        raise typer.Exit(1)


def as_text(page: dict[str, Any]) -> list[str]:
    """A page of results for a terminal, in French, a line each."""
    total = page["total"]
    lines = [f"{total} note{'s' if total > 1 else ''} ({page['took_ms']} ms)"]
    if page["relaxed"]:
        lines.append("Aucune note ne contient tous ces mots ; celles-ci en contiennent certains.")
    for hit in page["hits"]:
        post = vocabulary.posts().get(hit["post"])
        marks = names(hit.get("marking"), hit.get("special_france"))
        lines += [
            "",
            hit["subject"],
            f"  {post.city if post else hit['post']} · {hit['reference']} · "
            f"{' · '.join((hit['date'], *marks))} · "
            f"{vocabulary.genres().get(hit['genre'], hit['genre'])}",
            f"  {themes(hit['themes'])} — {countries(hit['countries'])}",
        ]
        lines += [f"  … {plain(fragment)}" for fragment in hit["highlights"]["body"][:1]]
        lines.append(f"  {hit['id']}")
    if page["next"]:
        lines += ["", f"Suite : --cursor {page['next']}"]
    return lines


def plain(fragment: str) -> str:
    """A highlighted HTML fragment as one line of plain text, found words between « »."""
    marked = fragment.replace("<mark>", "«").replace("</mark>", "»")
    return re.sub(r"\s+", " ", html.unescape(marked)).strip()
