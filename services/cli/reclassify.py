"""`valise reclassify`: the tags of the present release of the classifier, for every note."""

import json
from typing import Annotated

import typer

from schemas import vocabulary
from services.cli.followed import Found, followed
from services.cli.terminal import say

PATH = "/api/v1/reclassify"
STEPS = {
    "read": "Lecture des notes",
    "compare": "Lecture de leur classement",
    "classify": "Reclassement",
    "settle": "Vérification",
}
ROLES = {"about": "", "mentioned": " (mentionné)"}
KINDS = {
    "theme": "Thème",
    "subtheme": "Sous-thème",
    "about": "Pays",
    "mentioned": "Pays",
    "organisation": "Organisation",
}


def reclassify(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ne rien publier : dire ce qui changerait.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Le bilan, en JSON.")] = False,
) -> None:
    """Reclasse toutes les notes avec la version présente du classement. Personne n'est alerté.

    Interrompue, la commande se relance et reprend. Sort en 1 si elle n'est pas allée au bout.
    """
    summary = followed(PATH, "Reclassement", STEPS, dry_run=str(dry_run).lower())
    say(*([json.dumps(summary, ensure_ascii=False)] if as_json else as_text(summary)))
    if not summary["complete"]:
        raise typer.Exit(1)


def as_text(summary: Found) -> list[str]:
    """The figures of a run for a terminal, in French."""
    would = summary["dry_run"]
    lines = [
        f"Version {summary['release']} du classement"
        + (" : simulation, rien n'est publié" if would else ""),
        f"{_notes(summary['notes'])} dans le journal : {_shares(summary)}",
    ]
    if summary["due"]:
        lines.append(f"{_changed(summary)} d'étiquettes sur {_number(summary['due'])} à reclasser")
    if corrected := summary["corrected"]:
        keep = "gardent leurs" if corrected > 1 else "garde ses"
        lines.append(
            f"{_notes(corrected)} corrigée{_s(corrected)} par un lecteur {keep} thèmes et pays"
        )
    if not would:
        published = summary["published"]
        lines.append(f"{_number(published)} reclassement{_s(published)} publié{_s(published)}")
    for name, said in (
        ("repeated", "état{s} redit{s} pour que le dernier événement soit le plus récent"),
        ("refused", "note{s} trop volumineuse{s} pour le journal, non reclassée{s}"),
        ("unreadable", "enregistrement{s} illisible{s}, laissé{s} de côté"),
    ):
        if count := summary[name]:
            lines.append(f"{_number(count)} {said.format(s=_s(count))}")
    if not summary["complete"]:
        lines.append("Interrompu avant la fin : relancer la commande pour reprendre")
    return [*lines, *_table(summary["tags"]), *_examples(summary["examples"])]


def _changed(summary: Found) -> str:
    would, count = summary["dry_run"], summary["changed"]
    if not count:
        return f"Aucune note ne {'changerait' if would else 'change'}"
    one, several = ("changerait", "changeraient") if would else ("change", "changent")
    return f"{_notes(count)} {several if count > 1 else one}"


def label(tag: str) -> str:
    """A tag of the API (`subtheme:sante.vaccination`) in French, without its kind."""
    kind, _, code = tag.partition(":")
    if kind == "theme":
        theme = vocabulary.themes().get(code)
        return theme.label if theme else code
    if kind == "subtheme":
        theme = vocabulary.themes().get(code.partition(".")[0])
        return theme.subthemes.get(code.partition(".")[2], code) if theme else code
    return vocabulary.countries().get(code, code) + ROLES.get(kind, "")


def _shares(summary: Found) -> str:
    parts = [
        f"{_number(summary[name])} {said.format(s=_s(summary[name]))}"
        for name, said in (
            ("due", "à reclasser"),
            ("current", "déjà à jour"),
            ("withdrawn", "retirée{s}"),
            ("waiting", "en cours de classement"),
        )
        if summary[name]
    ]
    return ", ".join(parts) or "rien à faire"


def _table(tags: list[Found]) -> list[str]:
    if not tags:
        return []
    names = [f"{KINDS.get(one['tag'].partition(':')[0], '')} : {label(one['tag'])}" for one in tags]
    width = max(map(len, names))
    return [
        "",
        f"{'':<{width}}  {'ajoutée':>9}  {'retirée':>9}",
        *(
            f"{name:<{width}}  {_number(one['added']):>9}  {_number(one['removed']):>9}"
            for name, one in zip(names, tags, strict=True)
        ),
    ]


def _examples(examples: list[Found]) -> list[str]:
    lines = ["", "Exemples"] if examples else []
    for one in examples:
        changes = [f"+ {label(tag)}" for tag in one["added"]]
        changes += [f"− {label(tag)}" for tag in one["removed"]]
        lines += [f"  {one['id']}  {one['subject']}", f"    {' ; '.join(changes)}"]
    return lines


def _notes(count: int) -> str:
    return f"{_number(count)} note{_s(count)}"


def _number(count: int) -> str:
    """Thousands apart, as French writes them."""
    return f"{count:,}".replace(",", "\u202f")


def _s(count: int) -> str:
    return "s" if count > 1 else ""
