"""What is wrong with a setting, in French and in one line, for whoever administers Valise."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from services.runtime.french import detail
from services.runtime.visible import visible

PREFIX = "VALISE_"
OF_THE_COMMAND = ("URL", "KEY", "KEY_FILE", "POST")
"""Settings of the command alone; all others are those of the services."""

OF_TOOLS = ("TEST_", "BENCH_", "EVAL_", "KILL", "ENGINES_CACHE", "EXAMPLES", "HYPOTHESIS", "LIVES")
"""What tests and measurements of this repository are told begins like this."""

_OF_AN_ORCHESTRATOR = re.compile(r"(\w+_)?SERVICE_(HOST|PORT)(_\w+)?|(\w+_)?PORT_\d+_(TCP|UDP)\w*")
"""What Kubernetes sets by itself for a service named « valise »: addresses of other programs."""
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")

_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([KMGT])(?:i?[OB]|io)?", re.I)
_POWERS = {"K": 10, "M": 20, "G": 30, "T": 40}
MOST_SHOWN = 60

EXPECTED = {
    "kafka_security": "PLAINTEXT, SSL, SASL_PLAINTEXT ou SASL_SSL est attendu",
    "kafka_mechanism": "SCRAM-SHA-512, SCRAM-SHA-256 ou PLAIN est attendu",
    "index": "un nom en minuscules, chiffres et tirets, qui commence par une lettre, est attendu",
    "topic_prefix": "80 lettres, chiffres, points, tirets ou soulignés au plus sont attendus",
    "public_url": "une adresse est attendue, comme https://valise.example.org",
    "oidc_scope": "des mots séparés par une espace sont attendus, dont le premier est openid",
    "log_level": "DEBUG, INFO, WARNING ou ERROR est attendu",
    "log_format": "json ou text est attendu",
    "proxies": "des adresses ou réseaux séparés par des virgules sont attendus "
    "(10.0.0.5, 10.1.0.0/16)",
}
"""What the value of a setting must look like, where its type alone does not say it."""


def unknown(env: Mapping[str, str], fields: Iterable[str], secrets: Iterable[str]) -> str | None:
    """Say which variable of the environment is no setting, with the nearest that is; None without.

    `fields` are the services' settings, `secrets` those of them that may stand in a file. Variables
    of this prefix that an orchestrator or a tool of this repository sets are left aside.
    """
    known = {f"{PREFIX}{name.upper()}" for name in (*fields, *OF_THE_COMMAND)}
    files = {f"{PREFIX}{name.upper()}_FILE" for name in secrets}
    for name in sorted(env):
        given = name.upper().startswith(PREFIX)
        if not given or name in known | files or _others(name[len(PREFIX) :], env[name]):
            continue
        return _unknown(name, known, files)
    return None


def _others(rest: str, value: str) -> bool:
    """Whether another program sets the variable with this end and value for its own ends."""
    if rest.startswith(OF_TOOLS) or _OF_AN_ORCHESTRATOR.fullmatch(rest):
        return True
    return rest.endswith("PORT") and _ADDRESS.match(value) is not None


def _unknown(name: str, known: set[str], files: set[str]) -> str:
    shown = visible(name[:MOST_SHOWN])
    bare = name.upper().removesuffix("_FILE")
    if bare != name.upper() and bare in known:
        return (
            f"{shown} n'est pas un réglage : seuls les secrets se lisent dans un fichier ; "
            f"donner {bare}"
        )
    near = get_close_matches(name.upper(), sorted(known | files), n=1, cutoff=0.75)
    if not near:
        return f"{shown} n'est pas un réglage de Valise : l'enlever (liste : docs/architecture.md)"
    return f"{shown} n'est pas un réglage de Valise ; le plus proche est {near[0]}"


def wrong(name: str, given: str, error: Mapping[str, Any], *, secret: bool) -> str:
    """Say what is wrong with a setting's value and what is expected.

    `error` is one of pydantic's; a `secret` value is not repeated.
    """
    said = EXPECTED.get(name) or _by_type(name, given, error)
    shown = "" if secret else f" « {visible(given[:MOST_SHOWN])} » ne convient pas ;"
    return f"{PREFIX}{name.upper()} :{shown} {said}"


def _by_type(name: str, given: str, error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in ("int_parsing", "int_from_float", "int_parsing_size", "float_parsing"):
        if name.endswith("_bytes"):
            return f"un nombre d'octets est attendu, en chiffres seuls{_in_bytes(given)}"
        whole = "" if error["type"] == "float_parsing" else " entier"
        return f"un nombre{whole} est attendu, en chiffres seuls"
    return (
        f"la valeur {said}" if (said := detail(error["type"], context)).startswith("doit") else said
    )


def _in_bytes(given: str) -> str:
    """An amount such as 2Go as the setting takes it."""
    found = _AMOUNT.fullmatch(given.strip())
    if found is None:
        return ""
    amount = float(found[1].replace(",", ".")) * 2 ** _POWERS[found[2].upper()]
    return f" : {round(amount)}"
