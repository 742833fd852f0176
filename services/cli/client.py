"""The HTTP client of the command: where Valise is, and what its errors mean on a terminal."""

import os
from collections.abc import Sequence
from typing import Any

import httpx

from services.runtime.errors import Misconfigured

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Unreachable(Exception):
    """The service does not answer (exit code 3)."""


def url() -> str:
    """The service's address, from VALISE_URL."""
    return os.environ.get("VALISE_URL", DEFAULT_URL).rstrip("/")


def client() -> httpx.Client:
    """A client of the service, with the key of VALISE_KEY where there is one."""
    key = os.environ.get("VALISE_KEY", "")
    if not key.isascii() or not key.isprintable():
        raise Misconfigured("VALISE_KEY: a key is made of plain printable characters")
    try:
        base = httpx.URL(url())
    except httpx.InvalidURL as error:
        raise Misconfigured(f"VALISE_URL: {error}") from None
    if base.scheme not in ("http", "https") or not base.host:
        raise Misconfigured("VALISE_URL: an address like http://127.0.0.1:8000 is needed")
    return httpx.Client(
        base_url=base,
        timeout=TIMEOUT,
        headers={"Authorization": f"Bearer {key}"} if key else {},
        # A proxy meant for the outside has no business with an embedded service on this machine.
        trust_env=not url().startswith(("http://127.", "http://localhost")),
    )


def unreachable(error: httpx.TransportError) -> Unreachable:
    """The error to raise when the service did not answer."""
    reason = str(error) or type(error).__name__
    return Unreachable(f"le service ne répond pas à l'adresse {url()} ({reason})")


def get(path: str, parameters: Sequence[tuple[str, str]] = ()) -> httpx.Response:
    """GET a path of the service. Raises Unreachable (no answer, or 503)."""
    try:
        with client() as http:
            response = http.get(path, params=tuple(parameters))
    except httpx.TransportError as error:
        raise unreachable(error) from None
    if response.status_code >= 500:
        raise Unreachable(f"le service répond en erreur : {detail(response)}")
    return response


def post(
    path: str,
    *,
    params: Sequence[tuple[str, str]] = (),
    body: dict[str, Any] | None = None,
    patience: float | None = None,
) -> httpx.Response:
    """POST to a path of the service, waiting up to `patience` seconds for its answer.

    Raises Unreachable (no answer, or 503).
    """
    try:
        with client() as http:
            timeout = TIMEOUT if patience is None else httpx.Timeout(patience, connect=5.0)
            response = http.post(path, params=tuple(params), json=body, timeout=timeout)
    except httpx.TransportError as error:
        raise unreachable(error) from None
    if response.status_code >= 500:
        raise Unreachable(f"le service répond en erreur : {detail(response)}")
    return response


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
