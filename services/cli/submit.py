"""`valise submit`: sends notes from files and folders, with one outcome for each.

Text and Markdown files become notes: subject from the first line, reference from the file's name,
date from the file's own. `.json` holds one note and `.jsonl` one a line, as the API takes them.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from schemas import vocabulary
from schemas.note import note_id
from schemas.vocabulary import Genre
from services.cli import client
from services.cli.labels import OUTCOMES
from services.cli.progress import progress_bar
from services.runtime import text_files

TEXT_ENDINGS = (".txt", ".md", ".markdown")
LINES_ENDINGS = (".jsonl", ".ndjson")
NOTE_ENDINGS = (".json", *LINES_ENDINGS)
AT_ONCE = 8
"""Requests in flight: enough to fill one ingest service, few enough to leave it to others."""
TRIES = 5
"""On 503, with the wait the service asks for: covers an engine's restart of half a minute."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One note to send: where it came from, its body as JSON, the fields we guessed."""

    source: str
    payload: dict[str, Any] | bytes
    defaulted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one document."""

    source: str
    outcome: str
    detail: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


def submit(
    files: Annotated[list[Path], typer.Argument(help="Fichiers ou dossiers.")],
    post: Annotated[str | None, typer.Option(envvar="VALISE_POST", help="Poste.")] = None,
    genre: Annotated[Genre, typer.Option(help="Genre des documents.")] = Genre.NOTE,
    day: Annotated[str | None, typer.Option("--date", help="Date (AAAA-MM-JJ).")] = None,
    subject: Annotated[str | None, typer.Option(help="Objet (un seul fichier).")] = None,
    reference: Annotated[str | None, typer.Option(help="Référence (un seul fichier).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Une ligne JSON par document.")] = False,
) -> None:
    """Envoie des notes. Sort en 1 si l'une d'elles est refusée, chacune avec sa raison."""
    paths, missing = expand(files)
    _check(paths, post, day, subject, reference)
    given = {"subject": subject, "reference": reference, "date": day}
    overrides = {name: value for name, value in given.items() if value}
    counts: Counter[str] = Counter()
    for result in missing:
        _say(result, counts, as_json)
    with (
        client.client() as http,
        progress_bar() as progress,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        task = progress.add_task("Envoi", total=sum(map(documents_in, paths)))
        sources = _once(
            result for path in paths for result in _drafts(path, post or "", genre, overrides)
        )
        for result in _in_order(pool, http, sources):
            _say(result, counts, as_json)
            progress.advance(task)
    if not as_json:
        typer.echo(summary(counts))
    if counts["refused"] or counts["conflict"]:
        raise typer.Exit(1)


def expand(files: list[Path]) -> tuple[list[Path], list[Result]]:
    """Files to read, in order, folders walked (hidden files left out); what was not found."""
    paths: list[Path] = []
    missing: list[Result] = []
    for given in files:
        if given.is_dir():
            inside = sorted(path for path in given.rglob("*") if path.is_file())
            paths += [
                path
                for path in inside
                if not any(part.startswith(".") for part in path.relative_to(given).parts)
            ]
        elif given.is_file():
            paths.append(given)
        else:
            missing.append(Result(shown(given), "refused", "fichier introuvable"))
    return paths, missing


def _check(
    paths: list[Path], post: str | None, day: str | None, subject: str | None, reference: str | None
) -> None:
    if post is not None and post not in vocabulary.posts():
        known = ", ".join(sorted(vocabulary.posts()))
        raise typer.BadParameter(f"poste inconnu : {post} (connus : {known})")
    if post is None and any(path.suffix.lower() in TEXT_ENDINGS for path in paths):
        raise typer.BadParameter("le poste manque : --post berlin, ou VALISE_POST")
    if (subject or reference) and len(paths) != 1:
        raise typer.BadParameter("--subject et --reference ne valent que pour un seul fichier")
    if day is not None:
        try:
            written = date.fromisoformat(day).isoformat()
        except ValueError:
            written = ""
        if written != day:
            raise typer.BadParameter(f"date invalide : {day} (AAAA-MM-JJ)")


def _drafts(
    path: Path, post: str, genre: Genre, overrides: dict[str, str]
) -> Iterator[Draft | Result]:
    """The notes in one file, or why it cannot be sent."""
    source = shown(path)
    ending = path.suffix.lower()
    try:
        if ending in TEXT_ENDINGS:
            yield text_draft(path, post, genre, overrides)
        elif ending == ".json":
            yield Draft(source, path.read_bytes())
        elif ending in LINES_ENDINGS:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield Draft(f"{source}:{number}", line)
        else:
            known = ", ".join(TEXT_ENDINGS + NOTE_ENDINGS)
            yield Result(source, "refused", f"format non pris en charge (acceptés : {known})")
    except (OSError, ValueError) as error:
        yield Result(source, "refused", str(error))


def _once(drafts: Iterable[Draft | Result]) -> Iterator[Draft | Result]:
    """The same drafts; a text whose file's name gives a reference for the second time is refused.

    Else it would be chance which of two files of one name becomes the note.
    """
    taken: dict[str, str] = {}
    for draft in drafts:
        if isinstance(draft, Draft) and isinstance(draft.payload, dict):
            reference = str(draft.payload["reference"])
            first = taken.setdefault(reference, draft.source)
            if first != draft.source:
                yield Result(
                    draft.source,
                    "refused",
                    f"la référence « {reference} », tirée du nom du fichier, est déjà celle de "
                    f"{first} : renommer le fichier, ou l'envoyer seul avec --reference",
                )
                continue
        yield draft


def text_draft(path: Path, post: str, genre: Genre, overrides: dict[str, str]) -> Draft:
    """The note in a text file. Raises ValueError where it has no text, OSError unreadable."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError("le nom du fichier n'est pas en UTF-8 : le renommer") from None
    text = text_files.read(path)
    changed = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date()
    payload = {
        "post": post,
        "reference": path.stem,
        "genre": genre.value,
        "date": changed.isoformat(),
        "subject": text.subject,
        "body": text.body,
    }
    return Draft(
        shown(path), payload | overrides, defaulted=() if "date" in overrides else ("date",)
    )


def _in_order(
    pool: ThreadPoolExecutor, http: httpx.Client, sources: Iterator[Draft | Result]
) -> Iterator[Result]:
    """Send with a few requests in flight; results in the order of the files, flat memory."""
    waiting: list[Any] = []
    for source in sources:
        waiting.append(pool.submit(_send, http, source))
        if len(waiting) >= 2 * AT_ONCE:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _send(http: httpx.Client, draft: Draft | Result) -> Result:
    if isinstance(draft, Result):
        return draft
    content = (
        draft.payload
        if isinstance(draft.payload, bytes)
        else json.dumps(draft.payload, ensure_ascii=False).encode()
    )
    headers = {"Content-Type": "application/json"}
    if draft.defaulted:
        headers["Valise-Defaulted"] = ", ".join(draft.defaulted)
    for attempt in range(1, TRIES + 1):
        try:
            response = http.post("/api/v1/notes", content=content, headers=headers)
        except httpx.TransportError as error:
            raise client.unreachable(error) from None
        # A proxy answers 502 or 504 for a service that is being started again.
        if response.status_code != 429 and response.status_code < 500:
            return _result(draft, response)
        if attempt < TRIES:
            asked = response.headers.get("Retry-After", "")
            time.sleep(min(float(asked), 10.0) if asked.isdigit() else 2.0)
    raise client.Unreachable(f"le service ne prend pas les notes : {client.detail(response)}")


def _result(draft: Draft, response: httpx.Response) -> Result:
    if response.status_code in (200, 202):
        answer = response.json()
        return Result(draft.source, answer["outcome"], "; ".join(answer["warnings"]), answer)
    outcome = "conflict" if response.status_code == 409 else "refused"
    known = {}
    if isinstance(draft.payload, dict):
        known["id"] = str(note_id(draft.payload["post"], draft.payload["reference"]))
    return Result(draft.source, outcome, client.detail(response), known)


def _say(result: Result, counts: Counter[str], as_json: bool) -> None:
    counts[result.outcome] += 1
    if as_json:
        line: dict[str, Any] = {"file": result.source, "outcome": result.outcome}
        line |= {
            name: result.answer[name]
            for name in ("id", "revision", "state")
            if name in result.answer
        }
        if result.detail:
            line["detail"] = result.detail
        typer.echo(json.dumps(line, ensure_ascii=False))
        return
    label = OUTCOMES.get(result.outcome, result.outcome)
    extra = f" : {result.detail}" if result.detail else ""
    typer.echo(f"{label:<11} {result.source}{extra}  {result.answer.get('id', '')}".rstrip())


def summary(counts: Counter[str]) -> str:
    """One French line that counts the outcomes."""
    total = counts.total()
    parts = [
        f"{counts[outcome]} {plural(label, counts[outcome])}"
        for outcome, label in OUTCOMES.items()
        if counts[outcome]
    ]
    return f"{total} {plural('document', total)} : {', '.join(parts) or 'rien à envoyer'}"


def plural(words: str, number: int) -> str:
    """French words as they follow that number (`en conflit` does not change)."""
    return f"{words}s" if number > 1 and not words.startswith("en ") else words


def shown(path: Path) -> str:
    """A path that can be printed, whatever bytes its name has."""
    return str(path).encode("utf-8", "replace").decode()


def documents_in(path: Path) -> int:
    """How many documents a file holds, for the progress bar."""
    if path.suffix.lower() not in LINES_ENDINGS:
        return 1
    try:
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except OSError:
        return 1
