"""`valise submit`: sends notes from files and folders, with one outcome for each.

Text and Markdown files become notes: what their header says, else subject from the first line,
reference from the file's name, date from the file's own. `.json` holds one note and `.jsonl` one a
line, as the API takes them. Other documents are sent as they are; the service reads them and says
what it read.

Running it again sends the same once more, and the service knows what it has: a folder that was
stopped half-way ends as if it had not been.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from schemas import vocabulary
from schemas.access import EVERY_POST
from schemas.answers import Problem
from schemas.marks import Level, Marks
from schemas.note import note_id
from schemas.vocabulary import Genre
from services.cli import client, preview
from services.cli.labels import OUTCOMES
from services.cli.progress import progress_bar
from services.cli.terminal import say
from services.ingest import identity
from services.ingest.formats import plain
from services.ingest.formats.head import note_fields
from services.ingest.formats.plain import Plain
from services.runtime import marks

TEXT_ENDINGS = (".txt", ".md", ".markdown")
FILE_ENDINGS = (".html", ".htm", ".docx", ".odt", ".pdf", ".eml", ".zip")
LINES_ENDINGS = (".jsonl", ".ndjson")
NOTE_ENDINGS = (".json", *LINES_ENDINGS)
NOTES, PREVIEW = "/api/v1/notes", "/api/v1/preview"
AT_ONCE = 8
"""Requests in flight: enough to fill one ingest service, few enough to leave it to others."""
TRIES = 5
"""On 503, with the wait the service asks for: covers an engine's restart of half a minute."""

UPLOAD_TRIES = 12
"""For a document: five minutes, as the service may be reading other large ones."""

UPLOAD_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
"""For a document: the service reads an archive of several hundred notes in three minutes, and two
files at a time."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One note to send: where it came from, its body as JSON, the fields we guessed; of these
    `defaulted` is what the service is told, `notices` what its sender should know of all."""

    source: str
    payload: dict[str, Any] | bytes
    defaulted: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """One file to send as it is, and what its sender says of it; `defaulted` names what of that is
    a guess."""

    source: str
    path: Path
    metadata: dict[str, Any]
    defaulted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one document."""

    source: str
    outcome: str
    detail: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


Source = Draft | Upload | Result


def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Fichiers ou dossiers : texte, Markdown, HTML, DOCX, ODT, PDF, courriel (EML), "
            "archive (ZIP), JSON, JSON Lines."
        ),
    ],
    post: Annotated[str | None, typer.Option(envvar="VALISE_POST", help="Poste.")] = None,
    genre: Annotated[
        Genre | None, typer.Option(help="Genre des documents (par défaut : ce qu'ils disent).")
    ] = None,
    day: Annotated[
        str | None,
        typer.Option(
            "--date", help="Date (AAAA-MM-JJ) ; par défaut, celle du document, sinon du fichier."
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Langue (code ISO 639) ; par défaut, celle qui est reconnue."),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Objet (un seul fichier).")] = None,
    reference: Annotated[str | None, typer.Option(help="Référence (un seul fichier).")] = None,
    only_preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Montre ce que le service lirait et classerait ; rien n'en est conservé.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Une ligne JSON par document.")] = False,
) -> None:
    """Envoie des notes. Sort en 1 si l'une d'elles est refusée, chacune avec sa raison.

    Interrompu, il se relance tel quel : ce qui est déjà reçu est reconnu, le reste est envoyé.
    """
    paths, missing = expand(files)
    post = post or _post_of_key()
    _check(paths, post, day, subject, reference)
    given = {
        "subject": subject,
        "reference": reference,
        "date": day,
        "genre": genre,
        "language": language,
    }
    overrides = {name: str(value) for name, value in given.items() if value}
    counts: Counter[str] = Counter()
    for result in missing:
        _say(result, counts, as_json)
    with client.client() as http, progress_bar() as progress:
        task = progress.add_task(
            "Aperçu" if only_preview else "Envoi", total=sum(map(documents_in, paths))
        )
        sources = _once(result for path in paths for result in _sources(path, post, overrides))
        done = _previewed(http, sources) if only_preview else _sent(http, sources)
        try:
            for results in done:
                for result in results:
                    _say(result, counts, as_json)
                progress.advance(task)
        except KeyboardInterrupt:
            say(
                "Interrompu. Relancer la même commande : elle reprend où elle s'est arrêtée.",
                err=True,
            )
            raise typer.Exit(1) from None
    if not as_json:
        say(summary(counts))
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


def _post_of_key() -> str | None:
    """The one post in whose name the key submits; None where it has none, or several."""
    try:
        answer = client.get("/api/v1/me")
    except client.Unreachable:
        return None  # told when something is sent
    posts = answer.json()["posts"] if answer.status_code == 200 else []
    return posts[0] if len(posts) == 1 and posts[0] != EVERY_POST else None


def _check(
    paths: list[Path], post: str | None, day: str | None, subject: str | None, reference: str | None
) -> None:
    if post is not None and post not in vocabulary.posts():
        known = ", ".join(sorted(vocabulary.posts()))
        raise typer.BadParameter(f"poste inconnu : {post} (connus : {known})")
    if post is None and any(path.suffix.lower() in TEXT_ENDINGS for path in paths):
        raise typer.BadParameter(
            "le poste manque : --post berlin, VALISE_POST, ou la clé d'un poste"
        )
    if (subject or reference) and len(paths) != 1:
        raise typer.BadParameter("--subject et --reference ne valent que pour un seul fichier")
    if day is not None:
        try:
            written = date.fromisoformat(day).isoformat()
        except ValueError:
            written = ""
        if written != day:
            raise typer.BadParameter(f"date invalide : {day} (AAAA-MM-JJ)")


def _sources(path: Path, post: str | None, overrides: dict[str, str]) -> Iterator[Source]:
    """The notes in one file, or why it cannot be sent."""
    source = shown(path)
    ending = path.suffix.lower()
    try:
        if ending in TEXT_ENDINGS:
            yield text_draft(path, post or "", overrides)
        elif ending in FILE_ENDINGS:
            yield upload(path, post, overrides)
        elif ending == ".json":
            yield Draft(source, path.read_bytes())
        elif ending in LINES_ENDINGS:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield Draft(f"{source}:{number}", line)
        else:
            known = ", ".join(TEXT_ENDINGS + FILE_ENDINGS + NOTE_ENDINGS)
            yield Result(source, "refused", f"format non pris en charge (acceptés : {known})")
    except (OSError, ValueError) as error:
        yield Result(source, "refused", str(error))


def _once(drafts: Iterable[Source]) -> Iterator[Source]:
    """The same drafts; a text whose file's name gives a reference for the second time is refused.

    Else it would be chance which of two files of one name becomes the note.
    """
    taken: dict[str, str] = {}
    for draft in drafts:
        if isinstance(draft, Draft) and isinstance(draft.payload, dict):
            reference = str(draft.payload["reference"])
            first = taken.setdefault(reference, draft.source)
            if first != draft.source and reference == Path(draft.source).stem:
                yield Result(
                    draft.source,
                    "refused",
                    f"la référence « {reference} », tirée du nom du fichier, est déjà celle de "
                    f"{first} : renommer le fichier, ou l'envoyer seul avec --reference",
                )
                continue
        yield draft


def text_draft(path: Path, post: str, overrides: dict[str, str]) -> Draft:
    """The note in a text file. Raises ValueError where it has no text, OSError unreadable."""
    _check_name(path)
    found = plain.read(path.read_bytes())
    said = header(found)
    if post:
        said.pop("post", None)
    payload = {
        "post": post,
        "reference": path.stem,
        "genre": Genre.NOTE.value,
        "date": _changed(path),
        "subject": found.subject,
        "body": found.body,
    }
    note = payload | said | overrides
    guessed = _guesses(found, said.keys() - set(found.guessed) | overrides.keys())
    defaulted = ("date",) if "date" in guessed else ()
    return Draft(shown(path), note, defaulted, tuple(guessed), identity.guesses(note, guessed))


def _guesses(found: Plain, stated: Set[str]) -> dict[str, str]:
    """The fields of a text that nobody states, and where each is taken from."""
    sources = {
        "subject": identity.FIRST_LINE,
        "reference": identity.CITED if "reference" in found.fields else identity.FILE_NAME,
        "date": identity.OF_THE_FILE,
        "genre": identity.DEFAULT,
    }
    return {name: source for name, source in sources.items() if name not in stated}


def header(text: Plain) -> dict[str, Any]:
    """What the header of a text says of it, as fields of a note; only what is there."""
    return note_fields(text.fields)


def upload(path: Path, post: str | None, overrides: dict[str, str]) -> Upload:
    """A document to send as it is; the file's date for one that does not say its own.

    Raises ValueError for a name that cannot be sent, OSError unreadable.
    """
    _check_name(path)
    metadata = {"date": _changed(path)} | ({"post": post} if post else {}) | overrides
    return Upload(shown(path), path, metadata, defaulted=() if "date" in overrides else ("date",))


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ValueError("le nom du fichier n'est pas en UTF-8 : le renommer") from None


def _changed(path: Path) -> str:
    """The day on which the file last changed."""
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date().isoformat()


def _sent(http: httpx.Client, sources: Iterator[Source]) -> Iterator[list[Result]]:
    """Send with a few requests in flight; results in the order of the files, flat memory."""
    waiting: list[Future[list[Result]]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for source in sources:
                waiting.append(pool.submit(_send, http, source))
                if len(waiting) >= 2 * AT_ONCE:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _send(http: httpx.Client, source: Source) -> list[Result]:
    if isinstance(source, Result):
        return [source]
    response = _posted(http, NOTES, source)
    return [response] if isinstance(response, Result) else _results(source, response)


def _posted(http: httpx.Client, path: str, source: Draft | Upload) -> httpx.Response | Result:
    """The service's answer to this, asked again while it is busy; or why it was not asked.

    Raises Unreachable.
    """
    refused = _not_to_be_sent(source)
    if refused is not None:
        return Result(source.source, "refused", refused.detail)
    try:
        request = _request(source)
    except OSError as error:
        return Result(source.source, "refused", str(error))
    tries = UPLOAD_TRIES if isinstance(source, Upload) else TRIES
    for attempt in range(1, tries + 1):
        try:
            response = http.post(path, **request)
        except httpx.TransportError as error:
            raise client.unreachable(error) from None
        # A proxy answers 502 or 504 for a service that is being started again.
        if response.status_code != 429 and response.status_code < 500:
            return response
        if attempt < tries:
            asked = response.headers.get("Retry-After", "")
            time.sleep(min(float(asked), 10.0) if asked.isdigit() else 2.0)
    raise client.Unreachable(f"le service ne prend pas les notes : {client.detail(response)}")


def _not_to_be_sent(source: Draft | Upload) -> Problem | None:
    """Why this may not be kept, where it can be seen from here: then it is not even sent."""
    if isinstance(source, Upload):
        return _refused_here(marks.of_name(source.path.name))
    if isinstance(source.payload, dict):
        return _refused_here(marks.of_fields(source.payload))
    try:
        return _refused_here(marks.of_fields(json.loads(source.payload)))
    except (ValueError, RecursionError):
        return None  # no JSON, which the service says


def _refused_here(found: Marks) -> Problem | None:
    approved = {each.strip() for each in os.environ.get("VALISE_APPROVED", "").split(",")}
    return marks.refused(found, [level for level in Level if level in approved])


def _request(source: Draft | Upload) -> dict[str, Any]:
    """What to send, as httpx takes it. Raises OSError for a file that cannot be read."""
    headers = {"Valise-Defaulted": ", ".join(source.defaulted)} if source.defaulted else {}
    if isinstance(source, Upload):
        metadata = json.dumps(source.metadata, ensure_ascii=False).encode()
        return {
            "files": {
                "file": (source.path.name, source.path.read_bytes()),
                "metadata": (None, metadata, "application/json"),
            },
            "headers": headers,
            "timeout": UPLOAD_TIMEOUT,
        }
    if isinstance(source.payload, dict):
        return {"json": source.payload, "headers": headers}
    return {
        "content": source.payload,
        "headers": headers | {"Content-Type": "application/json"},
    }


def _results(source: Draft | Upload, response: httpx.Response) -> list[Result]:
    """What became of one file: one result, or one for each document in it."""
    answers = client.lines(response)
    if answers is not None:
        return [_of_line(preview.document_name(source.source, each), each) for each in answers]
    if response.status_code in (200, 202):
        answer = response.json()
        warned = "; ".join(_warnings(source, answer["warnings"]))
        return [Result(source.source, answer["outcome"], warned, answer)]
    outcome = "conflict" if response.status_code == 409 else "refused"
    known = {}
    if isinstance(source, Draft) and isinstance(source.payload, dict):
        known["id"] = str(note_id(source.payload["post"], source.payload["reference"]))
    return [Result(source.source, outcome, client.detail(response), known)]


def _warnings(source: Draft | Upload, said: list[str]) -> list[str]:
    """What the service said of a note, and what is known here, each once."""
    if isinstance(source, Upload) or not source.notices:
        return said
    return [*(each for each in said if not each.startswith(identity.GUESSED)), *source.notices]


def _of_line(source: str, answer: dict[str, Any]) -> Result:
    """The result of one of several documents in a file."""
    if "problem" in answer:
        detail = client.problem_text(answer["problem"])
        if answer["status"] == 503:
            raise client.Unreachable(f"le service ne prend pas les notes : {detail}")
        return Result(source, answer["outcome"], detail, answer)
    return Result(source, answer["outcome"], "; ".join(answer["warnings"]), answer)


def _previewed(http: httpx.Client, sources: Iterator[Source]) -> Iterator[list[Result]]:
    """What would be read and tagged of each file, one after the other."""
    for source in sources:
        if isinstance(source, Result):
            yield [source]
            continue
        answer = _posted(http, PREVIEW, source)
        if isinstance(answer, Result):
            yield [answer]
            continue
        if isinstance(source, Upload):
            found = preview.of_file(source.path, source.metadata, source.defaulted, answer)
        else:
            found = [
                preview.of_note(
                    source.source, source.payload, source.guessed, answer, source.notices
                )
            ]
        yield [
            Result(each.source, "refused", each.refused)
            if each.refused
            else Result(each.source, "preview", answer={"read": each.read, "tags": each.tags})
            for each in found
        ]


def _say(result: Result, counts: Counter[str], as_json: bool) -> None:
    counts[result.outcome] += 1
    if as_json:
        line: dict[str, Any] = {"file": result.source, "outcome": result.outcome}
        line |= {
            name: result.answer[name]
            for name in ("id", "revision", "state", "read", "tags")
            if name in result.answer
        }
        if result.detail:
            line["detail"] = result.detail
        say(json.dumps(line, ensure_ascii=False))
        return
    label = OUTCOMES.get(result.outcome, result.outcome)
    extra = f" : {result.detail}" if result.detail else ""
    if result.outcome == "accepted" and "read" in result.answer:
        extra += f" : lu : {preview.in_short(result.answer['read'])}"
    say(f"{label:<11} {result.source}{extra}  {result.answer.get('id', '')}".rstrip())
    if result.outcome == "preview":
        say(*preview.lines(result.answer["read"], result.answer["tags"]))


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
