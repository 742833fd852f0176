"""`valise classify`: tags without a server, for files or for JSON Lines."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.terminal import data_out, say
from services.ingest.formats import plain


def classify(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FICHIER", help="Fichiers texte ou Markdown.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Lit des objets JSON, un par ligne, de l'entrée.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processus ; par défaut, tous les cœurs.")
    ] = None,
) -> None:
    """Étiquette des textes sans serveur : une ligne JSON par texte, dans l'ordre lu."""
    # The classifier is heavy to import: the client commands must not pay for it.
    import services.classify.jsonl as engine  # noqa: PLC0415

    if jsonl == bool(files):
        raise typer.BadParameter("donner des fichiers, ou --jsonl avec l'entrée standard")
    if jsonl:
        engine.run(sys.stdin.buffer, _handed_over(data_out()), workers=workers)
        return
    refused = False
    for path in files or []:
        answer = engine.classify_file(path, _read)
        refused = refused or "error" in answer
        say(json.dumps(answer, ensure_ascii=False))
    if refused:
        raise typer.Exit(1)


def _read(content: bytes) -> tuple[str, str, str | None]:
    """Subject, body and post of a text, as `valise submit` reads them."""
    text = plain.read(content)
    return text.subject, text.body, text.fields.get("post")


def _handed_over(write: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """Hand each answer over at once: whoever reads the pipe may be waiting for it."""

    def hand_over(line: bytes) -> None:
        write(line)
        sys.stdout.buffer.flush()
        sys.stdout.flush()

    return hand_over
