"""`valise corrections export`: the readers' corrections as labelled data (JSON Lines)."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Any

import httpx
import typer

from services.cli import client
from services.cli.french import App
from services.cli.terminal import data_out, say
from services.runtime.reasons import reason

app = App(help="Les corrections des lecteurs.", no_args_is_help=True)


@app.callback()
def corrections() -> None:
    """Les corrections des lecteurs."""


@app.command("export")
def export(
    output: Annotated[
        Path | None, typer.Option(help="Fichier à écrire ; à défaut, la sortie standard.")
    ] = None,
) -> None:
    """Exporte les notes corrigées, une par ligne (JSON), pour l'apprentissage du classement."""
    try:
        with client.client() as http, http.stream("GET", "/api/v1/corrections") as answer:
            if answer.status_code != 200:
                answer.read()
                raise client.Unreachable(f"le service répond en erreur : {client.detail(answer)}")
            with _target(output) as write:
                count = 0
                for part in answer.iter_bytes():
                    write(part)
                    count += part.count(b"\n")
    except httpx.TransportError as error:
        # Also an answer that breaks off: then nothing is put in the file's place.
        raise client.unreachable(error) from None
    if output is not None:
        say(f"{count} note{'s' if count > 1 else ''} corrigée{'s' if count > 1 else ''}")


@contextmanager
def _target(output: Path | None) -> Iterator[Callable[[bytes], Any]]:
    """Where to write: standard output, or a file that takes its place once it is whole."""
    if output is None:
        yield data_out()
        sys.stdout.buffer.flush()
        sys.stdout.flush()
        return
    try:
        with NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            draft = Path(file.name)
            try:
                yield file.write
                file.flush()
                os.fsync(file.fileno())
                draft.replace(output)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise typer.BadParameter(f"{output} ne peut pas être écrit : {reason(error)}") from None
