"""French words of the command for what the API answers in codes."""

from datetime import datetime
from typing import Any

from schemas import vocabulary

STATES = {
    "pending": "en attente",
    "received": "reçue",
    "indexed": "indexée",
    "withdrawn": "retirée",
    "parked": "mise à l'écart",
}
STEPS = {
    "received": "reçue",
    "classified": "classée",
    "indexed": "indexée",
    "withdrawn": "retirée",
    "parked": "mise à l'écart",
    "alerted": "signalée",
}
OUTCOMES = {
    "accepted": "acceptée",
    "duplicate": "déjà reçue",
    "conflict": "en conflit",
    "refused": "refusée",
    "preview": "aperçu",
}


def moment(iso: str) -> str:
    """A UTC time of the API in the terminal's own zone, to the second."""
    return datetime.fromisoformat(iso).astimezone().strftime("%d/%m/%Y %H:%M:%S")


def themes(found: list[dict[str, Any]]) -> str:
    """Themes and sub-themes of a hit on one line."""
    parts = []
    for tag in found:
        theme = vocabulary.themes()[tag["theme"]]
        subs = ", ".join(theme.subthemes.get(sub, sub) for sub in tag["subthemes"])
        parts.append(f"{theme.label} ({subs})" if subs else theme.label)
    return " ; ".join(parts) or "aucun thème"


def countries(found: list[dict[str, Any]]) -> str:
    """Countries of a hit on one line, those only mentioned in brackets."""
    names = vocabulary.countries()
    about = [names[tag["country"]] for tag in found if tag["role"] == "about"]
    mentioned = [names[tag["country"]] for tag in found if tag["role"] == "mentioned"]
    text = ", ".join(about)
    if mentioned:
        text += f"{' ' if text else ''}[mentionnés : {', '.join(mentioned)}]"
    return text or "aucun pays"
