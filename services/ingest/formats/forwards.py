"""Mails that only forward another message: that message is the document.

What the mail itself says, and the headers of the forwarded message, go below the document as a
quoted message: nothing of them is lost, and nothing of them is taken for the document's own.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.ingest.formats.accompanying import only_accompanies
from services.runtime.parts import Kind, Part, parts
from services.runtime.parts.quoted import introduction

SEPARATOR = "-----Message d'origine-----"
"""What the words of the mail that forwards stand under: below it all is quoted."""
DEEPEST = 5
"""Forwards of forwards that are opened."""
MOST_HEADERS = 2_000
"""Characters of the lines that introduce a message, in which its date and subject are read."""

SUBJECT = re.compile(r"^\s*(?:(?:tr|fwd?|wg|rv|i|enc|doorst|vs|vb)\s*:\s*)+", re.I)
_ANSWERED = re.compile(r"^\s*(?:(?:re|ré|réf|aw|sv|antw|r)\s*:\s*)+", re.I)
_FORWARDED = re.compile(
    r"transf[ée]r[ée]|r[ée]exp[ée]di[ée]|forwarded|weitergeleitete|reenviado|inoltrato|encaminhada"
    r"|doorgestuurd|vidarebefordrat",
    re.I,
)
_MONTHS = (
    "jan",
    "feb fev fév",
    "mar mär",
    "apr avr abr",
    "mai may mag",
    "jun juin giu",
    "jul juil lug",
    "aug aou aoû ago",
    "sep set",
    "oct okt ott",
    "nov",
    "dec déc dez dic",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_DATED = re.compile(
    r"(?:date|envoy[ée](?: le)?|sent|gesendet|datum|enviado(?: el)?|inviato|data|fecha)\s*[*_]*\s*:"
    r"\s*([^\n]{6,80})",
    re.I,
)
_TITLED = re.compile(r"(?:objet|sujet|subject|betreff|asunto|oggetto)\s*[*_]*\s*:\s*([^\n]+)", re.I)
_DAY_FIRST = re.compile(
    r"\b(\d{1,2})(?:er|\.|,)?\s+(?:de\s+)?([^\W\d_]{3,})\.?,?\s+(?:de\s+)?(\d{4})"
)
_REFERENCE = re.compile(r"^[*_ ]*(?:[nv]/|nos |notre )?r[ée]f(?:[ée]rences?|\.)?\s*:", re.I | re.M)
_MONTH_FIRST = re.compile(r"\b([^\W\d_]{3,})\.?\s+(\d{1,2}),?\s+(\d{4})")
_FIGURES = re.compile(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True, slots=True)
class Forward:
    """A forwarded message: its text, with what the mail itself says below it; date (ISO 8601) and
    subject as its headers say, empty where they do not."""

    text: str
    date: str
    subject: str


def own(text: str) -> str:
    """Return a mail's own words, without what it quotes."""
    return _without(text, _quotes(text))


def _quotes(text: str) -> list[Part]:
    return [part for part in parts(text) if part.kind is Kind.QUOTED]


def _without(text: str, quotes: Iterable[Part]) -> str:
    pieces, at = [], 0
    for part in quotes:
        pieces.append(text[at : part.start])
        at = part.end
    return "".join([*pieces, text[at:]]).strip()


def forwarded(text: str, subject: str) -> Forward | None:
    """Return the message that a mail does no more than forward; None where it says more, or
    answers."""
    found: Forward | None = None
    beside: list[str] = []
    for _ in range(DEEPEST):
        opened = _opened(text, subject)
        if opened is None:
            break
        words, headers, text = opened
        beside += [words, headers]
        dated, titled = _DATED.search(headers), _TITLED.search(headers)
        subject = titled[1].strip() if titled else ""
        found = Forward(text, _day(dated[1]) if dated else "", SUBJECT.sub("", subject))
    if found is None:
        return None
    below = "\n\n".join(filter(None, (each.strip() for each in beside)))
    return Forward(f"{text}\n\n{SEPARATOR}\n{below}", found.date, found.subject)


def _opened(text: str, subject: str) -> tuple[str, str, str] | None:
    """A mail's own words, the lines that introduce the message that it forwards, and the message;
    None where it does not only forward."""
    if _ANSWERED.match(subject):
        return None
    quotes = _quotes(text)
    words = _without(text, quotes)
    if not quotes or not only_accompanies(words):
        return None
    start, end = quotes[0].start, quotes[-1].end
    headers, message = _parted(text[start:end])
    said = SUBJECT.match(subject) or _FORWARDED.search(headers.partition("\n")[0])
    if not said or not any(map(str.isalnum, message)):
        return None
    return words, headers, message


def _parted(quote: str) -> tuple[str, str]:
    """The lines that introduce a message, and the message, without its `>`."""
    begun = _begun(quote)
    headers, message = quote[:begun].strip(), quote[begun:].strip()
    lines = message.splitlines()
    if lines and all(line.startswith(">") for line in lines if line.strip()):
        message = "\n".join(re.sub(r"^> ?", "", line) for line in lines).strip()
        begun = _begun(message)
        headers = f"{headers}\n{message[:begun]}".strip()
        message = message[begun:].strip()
    return headers[:MOST_HEADERS], message


def _begun(quote: str) -> int:
    """Where the message begins behind the lines that introduce it: a note may begin with a line
    that looks like one of them."""
    end = introduction(quote, 0, len(quote))
    if reference := _REFERENCE.search(quote, 0, end):
        return reference.start()
    seen: set[str] = set()
    for line in re.finditer(r"[^\n]*\n?", quote[:end]):
        if not line[0].strip() and {"date", "subject"} <= seen:
            return line.start()
        seen |= {"date"} if _DATED.match(line[0]) else set()
        seen |= {"subject"} if _TITLED.match(line[0]) else set()
    return end


def _day(said: str) -> str:
    """The day in a header's date, in the languages that mail programs write."""
    plain = said.lower()
    if found := _ISO.search(plain):
        numbers = (int(found[1]), int(found[2]), int(found[3]))
    elif found := _FIGURES.search(plain):
        numbers = (int(found[3]), int(found[2]), int(found[1]))
    elif found := _DAY_FIRST.search(plain):
        numbers = (int(found[3]), _month(found[2]), int(found[1]))
    elif found := _MONTH_FIRST.search(plain):
        numbers = (int(found[3]), _month(found[1]), int(found[2]))
    else:
        return ""
    try:
        return date(*numbers).isoformat()
    except ValueError:
        return ""


def _month(word: str) -> int:
    return next((_MONTH_OF[word[:size]] for size in (4, 3) if word[:size] in _MONTH_OF), 0)
