"""`valise rebuild`: a new index from the log, put in place while the service goes on."""

import json
from typing import Annotated

import typer

from services.cli.followed import Found, followed
from services.cli.terminal import say

PATH = "/api/v1/index/rebuild"
STEPS = {
    "read": "Lecture du journal",
    "catch_up": "Rattrapage",
    "check": "Vérification",
    "exchange": "Échange des index",
    "clean": "Nettoyage",
}


def rebuild(
    as_json: Annotated[bool, typer.Option("--json", help="Le bilan, en JSON.")] = False,
) -> None:
    """Refait l'index à partir du journal. La recherche et les envois continuent pendant ce temps.

    Interrompue, la commande laisse l'index en place tel qu'il était ; la relancer recommence.
    """
    summary = followed(PATH, "Reconstruction", STEPS)
    say(*([json.dumps(summary, ensure_ascii=False)] if as_json else as_text(summary)))
    if not summary["complete"]:
        raise typer.Exit(1)


def as_text(summary: Found) -> list[str]:
    """The figures of a rebuild for a terminal, in French."""
    if not summary["complete"]:
        return ["Interrompu : l'index en place n'a pas changé ; relancer la commande"]
    seconds = f"{summary['seconds']:.1f}".replace(".", ",")
    lines = [f"Index refait en {seconds} s"]
    for name, said in (
        ("notes", "note{s} en place"),
        ("withdrawn", "note{s} retirée{s}"),
        ("refused", "état{s} que l'index refuse, laissé{s} de côté"),
        ("unreadable", "enregistrement{s} illisible{s}, laissé{s} de côté"),
    ):
        count = summary[name]
        if count or name == "notes":
            # Thousands apart, as French writes them.
            number = f"{count:,}".replace(",", "\u202f")
            lines.append(f"{number} {said.format(s='s' if count > 1 else '')}")
    return lines
