"""What a text quotes of other messages: by mail programs' separators, headers and `>` signs.

A message that is quoted without `>` runs to the end of the text, or to a line that ends it: what
was written below it cannot be told from it.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from services.runtime.parts.lines import LONG_LINE, Line, folded, line_start, lines, lines_back

Range = tuple[int, int]

_NAMES = (
    r"message d['’]origine|message original|message initial|message transf[ée]r[ée]"
    r"|message r[ée]exp[ée]di[ée]|courriel (?:d['’]origine|original|transf[ée]r[ée])"
    r"|original (?:message|appointment)|forwarded message|forwarded by [^\n]{1,80}"
    r"|urspr(?:ü|u|ue)ngliche (?:nachricht|mail)|original-?nachricht|weitergeleitete nachricht"
    r"|mensaje (?:original|reenviado)|messaggio (?:originale|inoltrato)"
    r"|mensagem (?:original|encaminhada)|oorspronkelijk bericht|doorgestuurd bericht"
    r"|ursprungligt meddelande|vidarebefordrat meddelande|oprindelig meddelelse"
)
_RULE = re.compile(
    rf"^[^\S\n]{{0,9}}(?:[-_=*~—–][-_=*~—– ]{{1,80}}(?:{_NAMES})"
    r"(?:[ :]{0,3}[-_=*~—– ]{0,80}|[^\n]{1,80}[-_=*~—–]{2,80})"
    r"|(?:d[ée]but du message (?:r[ée]exp[ée]di[ée]|transf[ée]r[ée]|d['’]origine)"
    r"|begin forwarded message|(?:anfang|beginn) der weitergeleiteten (?:nachricht|e-?mail)"
    r"|inicio del mensaje reenviado|inizio (?:del )?messaggio inoltrato)[ \u00a0\u202f]{0,2}:?)"
    r"[^\S\n]{0,9}$",
    re.I | re.M,
)
_END = re.compile(
    r"^[-_=*~—– ]{0,80}(?:fin du message|end (?:of )?(?:forwarded|original) message"
    r"|ende der (?:weitergeleiteten )?nachricht|fin del mensaje|fine (?:del )?messaggio)"
    r"[^\n.;]{0,40}$",
    re.I | re.M,
)
_VERBS = (
    *("a écrit", "a ecrit", "wrote", "schrieb", "escribió", "ha scritto", "escreveu"),
    *("schreef", "skrev"),
)
_WROTE = re.compile(rf"\b(?:{'|'.join(_VERBS)})\b[^\n]{{0,120}}:[^\S\n]{{0,9}}$", re.M)
_OPENING = re.compile(r"[>\s]*(?:le|on|am|el|il|em|op|den)\b", re.I)
_DATED = re.compile(r"\b(?:19|20)\d{2}\b|\b\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\b")
_TIMED = re.compile(r"\b\d{1,2}\s?[:h]\s?\d{2}\b|\S@\S")
_ADDRESS = re.compile(r"\S@\S+\.\w")
_FROM = re.compile(
    r"^[^\S\n]{0,9}\|?[*_ ]{0,3}(?:de|from|von|da|van|fr[åa]n|fra|exp[ée]diteur|absender"
    r"|remitente|mittente)[*_]{0,3}[ \u00a0\u202f]?:",
    re.I | re.M,
)
_IN_ONE_LINE = re.compile(
    r"[^:]{1,12}: .{1,200}?\b(?:envoy[ée]|sent|gesendet|envia[dr][oa]|inviato)(?: le| el| am)? ?:"
    r".{1,250}?\b(?:objet|subject|betreff|asunto|oggetto) ?:",
    re.I,
)
_SAID = ("«", "“", '"', "„")
"""What a text quotes of somebody's words begins so, and what a mail program quotes does not."""
_KINDS = {
    "from": (
        *("de", "from", "von", "da", "van", "fran", "fra", "expediteur", "absender"),
        *("remitente", "mittente"),
    ),
    "sent": (
        *("envoye", "envoye le", "sent", "gesendet", "enviado", "enviado el", "enviada"),
        *("enviada em", "inviato", "verzonden", "skickat", "sendt"),
    ),
    "date": ("date", "datum", "fecha", "data"),
    "to": ("a", "to", "an", "para", "aan", "till", "til", "pour", "destinataire", "destinataires"),
    "subject": (
        *("objet", "sujet", "subject", "betreff", "asunto", "assunto", "oggetto", "onderwerp"),
        *("amne", "emne"),
    ),
    "other": (
        *("cc", "cci", "bcc", "copie", "copie a", "kopie", "copia", "importance", "priorite"),
        *("pieces jointes", "attachments", "anlagen", "datos adjuntos", "allegati", "bijlagen"),
        *("reply-to", "repondre a", "organisation", "reference"),
    ),
}
_KIND_OF = {label: kind for kind, labels in _KINDS.items() for label in labels}
_LABEL = re.compile(r"\|? ?([^:|]{1,25}?) ?: ?")
BLOCK_LINES = 12
"""Lines in which the headers of a quoted message stand; names of addressees may go over several."""
_SIGNS = re.compile(r"^[^\S\n]{0,3}>[^\n]*(?:\n(?:[^\S\n]{0,9}\n){0,3}[^\S\n]{0,3}>[^\n]*)*", re.M)
_FIGURES = re.compile(r"\s*>\s?[\d=]")
_SENTENCE = (".", ";", "!", "?", ",")
_PARAGRAPH = 120
"""Characters from which a line is no line of a header."""


def quoted(text: str) -> list[Range]:
    """What is quoted, in order and apart from each other. Time in proportion to the text."""
    introduced, whole = _to_the_end(text)
    return united([*introduced, *whole, *_signed(text, introduced)])


def introduction(text: str, start: int, end: int) -> int:
    """Where the message begins that is quoted here, after the lines that introduce it; `start`
    where none do."""
    if rule := _RULE.match(text, start, end):
        return _with_headers(text, start, rule.end())[1]
    if any(map(_kind, islice(lines(text, start, end), 1))):
        first = next(lines(text, start, end))
        return first.end if _IN_ONE_LINE.match(first.text) else _block(text, start)[1]
    wrote = _WROTE.search(text, start, min(end, start + LONG_LINE))
    begun = _introduction(text, wrote.start(), wrote.end()) if wrote else None
    return begun[1] if begun and begun[0] == start else start


def united(ranges: Iterable[Range]) -> list[Range]:
    """The ranges in order, those that meet as one."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _signed(text: str, introduced: Iterable[Range]) -> Iterator[Range]:
    """Runs of lines with a `>`; a figure after each of them is a comparison (`> 65 ans`), unless
    the line before says that somebody wrote it."""
    if ">" not in text:
        return
    begun = {end for _, end in introduced}
    for run in _SIGNS.finditer(text):
        if all(_FIGURES.match(line) for line in run[0].split("\n") if line.strip()):
            before = next(lines_back(text, 0, run.start() - 1), None)
            if before is None or before.end not in begun:
                continue
        yield run.span()


def _to_the_end(text: str) -> tuple[list[Range], list[Range]]:
    """The lines that only introduce `>` lines, and the messages that are quoted without."""
    introduced: list[Range] = []
    whole: list[Range] = []
    at = 0
    for start, end, certain in _beginnings(text):
        if start < at:
            continue
        following = next(lines(text, end, len(text)), None)
        if following is not None and text[following.start : following.end].lstrip().startswith(">"):
            introduced.append((start, end))
            at = end
        elif certain and not (following and following.text.startswith(_SAID)):
            closing = _END.search(text, end)
            at = closing.end() if closing else len(text)
            whole.append((start, at))
    return introduced, whole


def _beginnings(text: str) -> list[tuple[int, int, bool]]:
    """Where quoted messages begin: from and to of what introduces them, and whether that alone
    shows it; in order."""
    found = [(*_with_headers(text, *rule.span()), True) for rule in _RULE.finditer(text)]
    written = any(verb in text for verb in _VERBS)
    for wrote in _WROTE.finditer(text) if written else ():
        if begun := _introduction(text, wrote.start(), wrote.end()):
            found.append(begun)
    sentence: int | None = None
    closed = -1
    for sender in _FROM.finditer(text):
        sentence = _first_sentence(text) if sentence is None else sentence
        start = _first_header(text, sender.start())
        if end := _headers(text, start, sentence):
            found.append((start, end, True))
            if closed < end:
                closing = _END.search(text, end)
                if closing is None:
                    break  # the rest is of this message
                closed = closing.start()
    return sorted(found)


def _with_headers(text: str, start: int, end: int) -> Range:
    """A separator with the headers right under it."""
    following = next(lines(text, end, len(text)), None)
    if following is not None and _kind(following):
        return start, _block(text, following.start)[1]
    return start, end


def _introduction(text: str, place: int, end: int) -> tuple[int, int, bool] | None:
    """The line that says who wrote when, or that line and the one before, where it was cut; and
    whether a date and a time, or an address, show that a mail program wrote it."""
    start = line_start(text, place)
    if not _OPENING.match(text, start, end) and start:
        above = line_start(text, start - 1)
        start = above if _OPENING.match(text, above, end) else start
    said = text[start:end]
    if len(said) > LONG_LINE:
        return None
    dated = _OPENING.match(said) and _DATED.search(said) and _TIMED.search(said)
    return start, end, bool(dated or _ADDRESS.search(said))


def _first_header(text: str, start: int) -> int:
    """Where the headers begin of which this is the sender: others may stand above it."""
    for line in islice(lines_back(text, 0, max(0, start - 1)), len(_KINDS)):
        if _kind(line) not in {"sent", "date", "to", "subject"} or start - line.end > 1:
            break
        start = line.start
    return start


def _headers(text: str, start: int, sentence: int) -> int | None:
    """Where the headers end that begin with this sender; None where they are none of a quoted
    message: those of the document itself come before any text."""
    first = next(lines(text, start, len(text)))
    if _IN_ONE_LINE.match(first.text):
        return first.end
    kinds, end = _block(text, start)
    if "sent" in kinds:
        return end if len(kinds) > 2 else None
    # Dates, places and people may stand under each other in a text too.
    mailed = len(kinds) > 2 and ("subject" in kinds or "@" in text[start:end])
    return end if mailed and sentence < start else None


def _block(text: str, start: int) -> tuple[set[str], int]:
    """The kinds of headers in a block that begins here, and where it ends."""
    kinds: set[str] = set()
    end, passed = start, 0
    for line in islice(lines(text, start, len(text)), BLOCK_LINES):
        kind = _kind(line)
        if kind in kinds and kind != "other":
            break
        if kind:
            kinds.add(kind)
            end, passed = line.end, 0
        else:
            passed += 1
            # The rest of a long list of addressees stands right under it.
            if passed > 1 or text.count("\n", end, line.start) > 1 or "subject" in kinds:
                break
    return kinds, end


def _kind(line: Line) -> str | None:
    label = _LABEL.match(line.text)
    return _kind_of(label[1]) if label else None


@lru_cache(maxsize=1_000)
def _kind_of(label: str) -> str | None:
    return _KIND_OF.get(folded(label))


def _first_sentence(text: str) -> int:
    """Where the first line begins that is a sentence and bears no label; else the text's end."""
    for line in lines(text, 0, len(text)):
        ends = line.end - line.start > _PARAGRAPH or line.text.endswith(_SENTENCE)
        if ends and not _LABEL.match(line.text):
            return line.start
    return len(text)
