"""Work of the service that the command follows while it goes on, with a progress bar."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx
import typer

from services.cli import client
from services.cli.progress import progress_bar
from services.cli.terminal import say
from services.runtime.visible import visible

Found = dict[str, Any]


def followed(path: str, what: str, steps: Mapping[str, str], **parameters: str) -> Found:
    """The summary in which work at this address ends; `what` it is and its `steps`, in French.

    Exits with the problem where it ends in one. Raises Unreachable where it is broken off.
    """
    summary: Found | None = None
    problem: Found | None = None
    with progress_bar() as progress:
        task = progress.add_task(what, total=None)
        for line in told(path, **parameters):
            if "progress" in line:
                now = line["progress"]
                progress.update(
                    task,
                    description=steps.get(now["step"], visible(now["step"])),
                    completed=now["done"],
                    total=now.get("of"),
                )
            summary = line.get("summary", summary)
            problem = line.get("problem", problem)
    if problem is not None:
        say(client.problem_text(problem), err=True)
        raise typer.Exit(3 if problem.get("status") == 503 else 1)
    if summary is None:
        raise client.Unreachable("la réponse du service s'est interrompue ; relancer la commande")
    return summary


def told(path: str, **parameters: str) -> Iterator[Found]:
    """What the service says while it works. Raises Unreachable; exits with 1 where it refuses."""
    try:
        with (
            client.client() as http,
            http.stream("POST", path, params=parameters) as response,
        ):
            if response.status_code != 200:
                response.read()
                if response.status_code >= 500:
                    said = client.detail(response)
                    raise client.Unreachable(f"le service répond en erreur : {said}")
                say(client.detail(response), err=True)
                raise typer.Exit(1)
            for line in _lines(response.iter_bytes()):
                yield json.loads(line)
    except httpx.TransportError as error:
        raise client.unreachable(error) from None


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in these bytes. Not iter_lines(): it ends one at a separator (U+2028) within JSON
    too."""
    begun = b""
    for part in parts:
        *whole, begun = (begun + part).split(b"\n")
        yield from filter(None, whole)
    if begun:
        yield begun
