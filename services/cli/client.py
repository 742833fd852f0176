"""The HTTP client of the command: where Valise is, and what its errors mean on a terminal."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from services.runtime.access.key_file import NAME, read_key
from services.runtime.errors import Misconfigured
from services.runtime.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8000"
LOCAL = ("127.0.0.1", "localhost", "::1")
NDJSON = "application/x-ndjson"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Unreachable(Exception):
    """The service does not answer (exit code 3)."""


def url() -> str:
    """The service's address, from VALISE_URL."""
    return (os.environ.get("VALISE_URL", "").strip() or DEFAULT_URL).rstrip("/")


def key() -> str:
    """The key to show: VALISE_KEY, else the file that VALISE_KEY_FILE names, else, of a service on
    this machine, the administrator's in the data folder; empty without any.
    """
    given = os.environ.get("VALISE_KEY", "").strip()
    named = os.environ.get("VALISE_KEY_FILE", "").strip()
    if given:
        return given
    if named:
        found = read_key(Path(named))
        if found is None:
            raise Misconfigured(
                f"VALISE_KEY_FILE : {named} ne peut pas être lu, ou ne contient pas de clé"
            )
        return found
    if _address().host not in LOCAL:
        return ""
    data = Path(os.environ.get("VALISE_DATA") or Settings.model_fields["data"].default)
    return read_key(data / NAME) or ""


def client() -> httpx.Client:
    """A client of the service, with the key that `key` finds."""
    shown = key()
    if not shown.isascii() or not shown.isprintable() or " " in shown:
        raise Misconfigured(
            "VALISE_KEY : une clé ne porte ni espace, ni accent, ni signe invisible"
        )
    return httpx.Client(
        base_url=_address(),
        timeout=TIMEOUT,
        headers={"Authorization": f"Bearer {shown}"} if shown else {},
        # A proxy meant for the outside has no business with an embedded service on this machine.
        trust_env=not url().startswith(("http://127.", "http://localhost")),
    )


def _address() -> httpx.URL:
    """The service's address. Raises Misconfigured for what is none."""
    try:
        base = httpx.URL(url())
    except httpx.InvalidURL:
        raise Misconfigured(
            "VALISE_URL : une adresse comme http://127.0.0.1:8000 est attendue"
        ) from None
    if base.scheme not in ("http", "https") or not base.host:
        raise Misconfigured("VALISE_URL : une adresse comme http://127.0.0.1:8000 est attendue")
    return base


def unreachable(error: httpx.TransportError) -> Unreachable:
    """The error to raise when the service did not answer."""
    reason = str(error) or type(error).__name__
    return Unreachable(f"le service ne répond pas à l'adresse {url()} ({reason})")


def send(
    method: str, path: str, *, patience: float | None = None, **request: Any
) -> httpx.Response:
    """The answer of the service, awaited up to `patience` seconds.

    Raises Unreachable (no answer, or 503).
    """
    timeout = TIMEOUT if patience is None else httpx.Timeout(patience, connect=5.0)
    try:
        with client() as http:
            response = http.request(method, path, timeout=timeout, **request)
    except httpx.TransportError as error:
        raise unreachable(error) from None
    if response.status_code >= 500:
        raise Unreachable(f"le service répond en erreur : {detail(response)}")
    return response


def get(path: str, parameters: Sequence[tuple[str, str]] = ()) -> httpx.Response:
    """GET a path of the service. Raises Unreachable."""
    return send("GET", path, params=tuple(parameters))


def post(
    path: str,
    *,
    params: Sequence[tuple[str, str]] = (),
    body: dict[str, Any] | None = None,
    patience: float | None = None,
) -> httpx.Response:
    """POST to a path of the service. Raises Unreachable."""
    return send("POST", path, params=tuple(params), json=body, patience=patience)


def lines(response: httpx.Response) -> list[dict[str, Any]] | None:
    """What an answer line by line says; None for another kind of answer."""
    if response.headers.get("Content-Type") != NDJSON:
        return None
    # Not splitlines(): a name may hold a line separator (U+2028), which JSON leaves as it is.
    return [json.loads(line) for line in response.content.split(b"\n") if line]


def detail(response: httpx.Response) -> str:
    """What a problem answer says, in French, with its fields."""
    try:
        return problem_text(response.json())
    except ValueError:
        return f"réponse HTTP {response.status_code}"


def problem_text(problem: dict[str, Any]) -> str:
    """A problem document as one line."""
    text = str(problem.get("detail") or problem.get("title") or "erreur sans explication")
    fields = [
        f"{error.get('field')} : {error.get('detail')}"
        for error in problem.get("errors") or []
        if str(error.get("detail")) not in text
    ]
    return f"{text} ({' ; '.join(fields)})" if fields else text
