"""From the bytes of a submission to a note, or to what is wrong with it, in French."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, NoReturn

from pydantic import ValidationError

from schemas.access import Caller
from schemas.answers import Problem
from schemas.events import Kind, NoteEvent
from schemas.marks import NONE, STRICTEST, Level, Marks, canonical, read
from schemas.note import Note
from schemas.references import with_plain_references
from services.ingest import identity, language
from services.runtime import marks
from services.runtime.french import MOST_CHARACTERS, MOST_ERRORS, complaints, detail
from services.runtime.ids import uuid7
from services.runtime.problems import problem
from services.runtime.registry import Submission

MAY_BE_DEFAULTED = frozenset({"date"})
"""Fields that a sender may have guessed: what no one stated is left out of the content hash."""

MAX_ITEMS = 1_000
"""Of one list: the most that any field of a note may hold. Checked before the note is built, as a
longer list would have each of its items looked at and complained of."""

MAX_DIGITS = 18
"""Of a number: more than any offset needs, less than what makes reading it slow."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_ESCAPES = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""In the raw text: a string with NUL or a lone surrogate may follow from it, no other can."""

MOST_SHOWN = 60
"""Characters of an unknown mark that a warning repeats."""


class Refused(Exception):
    """The submission is no note that can be taken; `problem` says why, in French."""

    def __init__(self, said: Problem) -> None:
        super().__init__(said.title)
        self.problem = said


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission ready for the registry, with what its sender should know."""

    submission: Submission
    warnings: tuple[str, ...] = ()


def accept(
    raw: bytes,
    *,
    sender: Caller,
    now: datetime,
    trace: str | None = None,
    defaulted: frozenset[str] = frozenset(),
    seen: Marks = NONE,
    approved: frozenset[Level] = frozenset(),
    guessed: Mapping[str, str] | None = None,
) -> Accepted:
    """The submission in the bytes of a JSON body. Raises Refused.

    `sender` is who sends it, `now` the time of receipt (aware), `trace` a valid traceparent,
    `defaulted` the fields that the sender guessed, `seen` the marks of the document that the note
    was read in, `approved` the levels of others that this deployment may keep. `guessed`: of a
    document, the fields that nobody states and where each is taken from.
    """
    note, marked = read_note(raw, seen, approved)
    note = with_plain_references(note)
    note, defaulted = language.stated_or_found(note, defaulted)
    check_sender(sender, note)
    check_body(note)
    if guessed is None:
        guessed = dict.fromkeys(defaulted & {"date"}, identity.OF_THE_SENDER)
    event = NoteEvent(
        event_id=uuid7(),
        kind=Kind.SUBMITTED,
        note_id=note.id,
        revision=1,
        at=now,
        received_at=now,
        trace=trace,
        note=note,
        guessed=tuple(sorted(guessed)),
    )
    submission = Submission(event, content_hash(note, defaulted), defaulted)
    warned = (
        *marked,
        *identity.doubts(note, dated="date" not in defaulted | guessed.keys()),
        *identity.guesses(note, guessed),
        *warnings(note, now),
        *language.warnings(note, defaulted),
    )
    return Accepted(submission, warned)


def read_object(raw: bytes, whole: str = "note") -> tuple[str, dict[str, Any]]:
    """The text of a JSON body and the fields of its object, fit to be read as a model.

    `whole` names what was sent, in French. Raises Refused: 400 for no JSON, 422 for no object, for
    lists without end and for characters that cannot be kept.
    """
    text = _decoded(raw)
    fields = _parsed(text)
    if not isinstance(fields, dict):
        raise Refused(invalid([{"field": whole, "detail": "objet JSON attendu"}], whole))
    long = [
        {"field": _shown(name), "detail": f"plus de {MAX_ITEMS} valeurs"}
        for name, value in islice(fields.items(), MAX_ITEMS)
        if isinstance(value, list) and len(value) > MAX_ITEMS
    ]
    if long or len(fields) > MAX_ITEMS:
        raise Refused(invalid(long or [{"field": whole, "detail": "trop de champs"}], whole))
    if _ESCAPES.search(text):
        unreadable = [
            {"field": place, "detail": wrong}
            for place, wrong in islice(_unreadable(fields), MOST_ERRORS)
        ]
        if unreadable:
            raise Refused(invalid(unreadable, whole))
    return text, fields


def read_note(
    raw: bytes, seen: Marks = NONE, approved: frozenset[Level] = frozenset()
) -> tuple[Note, tuple[str, ...]]:
    """The note in the bytes of a JSON body, and what its sender should know of its marks.

    The strictest holds of the marks that the sender declares, those in the text, and `seen`. Raises
    Refused: 400 for no JSON, 422 for no note and for a classified document.
    """
    return note_of(*read_object(raw), seen, approved)


def note_of(
    text: str,
    fields: dict[str, Any],
    seen: Marks = NONE,
    approved: frozenset[Level] = frozenset(),
) -> tuple[Note, tuple[str, ...]]:
    """As `read_note`, of a JSON body and its fields as `read_object` gives them."""
    seen = checked(seen | marks.of_fields(fields), approved)
    warned: tuple[str, ...] = ()
    if fields.keys() & {"marking", "marked_spans"}:
        given = json.loads(text)  # once more: its numbers as they are written
        warned = _in_our_words(given)
        text = json.dumps(given)
    try:
        note = Note.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = complaints(error.errors(include_url=False, include_input=False))
        raise Refused(invalid(wrong)) from None
    # A string of digits passes for a number of seconds since 1970.
    if not _DATE.fullmatch(fields["date"]):
        raise Refused(invalid([{"field": "date", "detail": detail("date_parsing", {})}]))
    marked = under(note, seen)
    if marked is not note:
        warned = (*warned, _stricter(note, marked))
    return marked, warned


def under(note: Note, seen: Marks) -> Note:
    """The note under these marks too; itself where its own are as strict."""
    said = Marks(note.marking, note.special_france)
    both = said | seen
    if both == said:
        return note
    found = {"marking": both.marking, "special_france": both.special_france}
    return note.model_copy(update=found)


def checked(found: Marks, approved: frozenset[Level] = frozenset()) -> Marks:
    """Return these marks. Raises Refused where they are a document's that may not be kept here."""
    said = marks.refused(found, approved)
    if said is not None:
        raise Refused(said)
    return found


def check_sender(sender: Caller, note: Note) -> None:
    """Raises Refused (403) where the sender does not send in the name of the note's post."""
    if not sender.submits_for(note.post):
        raise Refused(
            problem(
                403,
                "Poste non autorisé",
                f"Votre clé ne permet pas de déposer au nom du poste « {note.post} ».",
            )
        )


def check_body(note: Note) -> None:
    """Raises Refused (422) where the text of a note has nothing but the lines of a header."""
    if not identity.has_body(note):
        raise Refused(invalid([{"field": "body", "detail": identity.NO_BODY}]))


def content_hash(note: Note, defaulted: frozenset[str] = frozenset()) -> str:
    """SHA-256, in hexadecimal, of what the note says: equal notes hash equal.

    Fields at their default count as absent, so that a field added to the contract later does not
    change the hash of a note that lacks it.
    """
    said = note.model_dump(mode="json", exclude_defaults=True, exclude=set(defaulted))
    canonical = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


def warnings(note: Note, now: datetime) -> tuple[str, ...]:
    """What the sender should know of a note that is taken, in French."""
    # East of here tomorrow has begun already.
    if note.date > (now.astimezone(UTC) + timedelta(days=1)).date():
        return (f"la date de la note ({note.date.isoformat()}) est à venir",)
    return ()


def defaulted_fields(header: str | None) -> frozenset[str]:
    """The names in a `Valise-Defaulted` header. Raises Refused for a field that cannot be one."""
    names = frozenset(name.strip() for name in (header or "").split(",") if name.strip())
    if names - MAY_BE_DEFAULTED:
        raise Refused(
            invalid(
                [
                    {
                        "field": "Valise-Defaulted",
                        "detail": "seule la date peut être donnée par défaut",
                    }
                ]
            )
        )
    return names


def traceparent(header: str | None) -> str | None:
    """The header where it is one of W3C Trace Context, else None."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(problem(400, "JSON non valide", "Le texte n'est pas en UTF-8.")) from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_no_constant,
            parse_int=_short_number,
            parse_float=_short_number,
        )
    except json.JSONDecodeError as error:
        where = f"ligne {error.lineno}, colonne {error.colno}"
        raise Refused(
            problem(400, "JSON non valide", f"Le contenu n'est pas du JSON ({where}).")
        ) from None
    except RecursionError:
        raise Refused(
            problem(400, "JSON non valide", "Les objets sont imbriqués trop profondément.")
        ) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        repeated = [name for name, count in times.items() if count > 1][:MOST_ERRORS]
        raise Refused(
            problem(
                400,
                "JSON non valide",
                "Un champ est donné plusieurs fois.",
                [
                    {"field": _shown(name), "detail": "champ répété"}
                    for name in repeated[:MOST_ERRORS]
                ],
            )
        )
    return found


def _no_constant(name: str) -> NoReturn:
    raise Refused(problem(400, "JSON non valide", f"{name} n'est pas une valeur du JSON."))


def _short_number(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise Refused(problem(400, "JSON non valide", "Un nombre est trop grand."))
    return float(digits)  # nobody reads it: pydantic reads the text again, strictly


def _unreadable(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each place with a text that cannot be kept, and what is wrong with it."""
    waiting: list[tuple[str, Any]] = [("", fields)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            wrong = _wrong_character(value)
            if wrong:
                yield place, wrong
        elif isinstance(value, dict):
            for name, inner in value.items():
                wrong = _wrong_character(name)
                if wrong:
                    yield _shown(name), wrong
                waiting.append((_under(place, _shown(name)), inner))
        elif isinstance(value, list):
            waiting.extend((_under(place, str(at)), inner) for at, inner in enumerate(value))


def _under(place: str, name: str) -> str:
    return f"{place}.{name}"[:MOST_CHARACTERS] if place else name


def _wrong_character(text: str) -> str | None:
    if "\x00" in text:
        return "caractère nul (U+0000) interdit"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "caractère Unicode invalide (demi-code isolé)"
    return None


def _shown(name: str) -> str:
    """A field's name as it can be quoted."""
    return name[:MOST_CHARACTERS].encode("utf-8", "replace").decode()


def _in_our_words(given: dict[str, Any]) -> tuple[str, ...]:
    """Have the declared marks of a note written in the contract's words; what its sender should
    know of those that are not known. An unknown mark of a passage stays as it is."""
    warned: list[str] = []
    mark = given.get("marking")
    if isinstance(mark, str):
        meant = read(mark) or STRICTEST
        given["marking"], special_france = meant.marking, meant.special_france
        if special_france and given.get("special_france", False) is False:
            given["special_france"] = True
        if canonical(mark) is None:
            warned.append(_unknown(mark, "la note"))
    spans = given.get("marked_spans")
    for span in spans if isinstance(spans, list) else ():
        mark = span.get("mark") if isinstance(span, dict) else None
        if isinstance(mark, str):
            known = canonical(mark)
            span["mark"] = known or mark
            if known is None and len(warned) < MOST_ERRORS:
                warned.append(_unknown(mark, "le passage"))
    return tuple(dict.fromkeys(warned))


def _unknown(mark: str, what: str) -> str:
    return (
        f"la mention « {' '.join(mark[:MOST_SHOWN].split())} » n’est pas connue : {what} reçoit la "
        "protection la plus stricte (diffusion restreinte, spécial France)"
    )


def _stricter(said: Note, both: Note) -> str:
    """That the text bears marks which its sender did not declare."""
    found = []
    if both.marking is not said.marking:
        found.append("en diffusion restreinte")
    if both.special_france and not said.special_france:
        found.append("spécial France")
    return (
        "le texte, ou ce qui y est joint, porte une mention qui n’était pas déclarée : la note est "
        f"{' et '.join(found)}"
    )


def invalid(errors: list[dict[str, str]], whole: str = "note") -> Problem:
    """The 422 that names what is wrong, field by field; `whole` as for `read_object`."""
    return problem(
        422,
        f"{whole.capitalize()} refusée",
        f"La {whole} n'est pas conforme.",
        errors[:MOST_ERRORS],
    )
