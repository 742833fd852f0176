"""Marks within a note's text: before a paragraph, round a passage, in a title or a sentence.

`marks` knows the mark that is a line of its own. Here are the others: each is worth the whole note,
or a passage that is for its readers alone. Where a form leaves doubt, more is restricted rather
than less, and `doubtful` says so. Pure, and linear in the text's length.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, islice

from schemas.letters import plain
from schemas.marks import LONGEST, NONE, STRICTEST, Marks, canonical, letters
from schemas.vocabulary import Marking
from services.runtime.mark_forms import (
    Kind,
    Sign,
    bounds,
    bracketed,
    ends_line,
    goes_on,
    mark_at,
    portion,
    said,
    unmarked,
    whole,
)
from services.runtime.marks import HEAD_LINES, LONG_TITLE, is_sentence, is_text

MOST_LINES = 10_000
"""Lines with what may be a mark that are looked at: of more, the whole is for the fewest."""
MOST_SIGNS = 1_000
"""Marks in brackets of one line, likewise."""
SHORT_LABEL = 40
"""Characters before a mark in brackets that may label a paragraph: *Commentaire (SF) : …*."""

_LINE_ENDS = {0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
_ANCHORS = re.compile(
    "SECRET|CONFIDENTI|RESTREINT|IIMITE|SPECIAIFRANCE|FRANCESEUI|FRANCEONIY|FRENCHEYES|COSMIC"
    "|GEHEIM|VERTRAUI|SEGRET|HEMIIG|RISERVATISS|RESTRICTED|DIENSTGE|VSNFD|SENSITIVE|RUEEUR|CUEEUC"
    "|SUEEUS|TSUEEUTS"
)
"""In the letters of every line with a mark, but of one that is initials alone."""
_INITIALS = re.compile(
    r"(?i)(?<![a-z0-9])(?:D[ _./-]{0,3}R|[S5$][ _./-]{0,3}F)(?![a-z0-9])|\((?:S|TS|C)\)"
)
_SIGNS = r"[\s>*_#\"'=~+|-]*"
_ITEM = (
    r"(?:(?:\d{1,3}(?:\.\d{1,3}){0,4}[.)]?|\(?[a-zA-Z]\)|[a-zA-Z][.)](?= )|[ivxIVX]{1,5}[.)]"
    r"|o(?= )|\(\d{1,3}\))[ ):.-]{1,4})"
)
_ITEM_SIGN = re.compile(r"(\s*)(?:[-*•–—+] |\(?([0-9]{1,3}|[a-zA-Z])[.)] )")
_LEAD = re.compile(_SIGNS)
_NUMBERED = re.compile(rf"{_SIGNS}{_ITEM}{_SIGNS}")
_STARTS_ITEM = re.compile(rf"\s*(?:[-*•+>#]|{_ITEM})")
_HASH = re.compile(r"\s*(#{1,6})\s")
_PORTIONS = re.compile(r"(?m)^\s*(?:\d{1,3}[.)]\s*)?\(([A-Z]{1,2})\)\s")
_PORTION = re.compile(r"[\[(]([^\[\]()]{1,40})[\])]")
_CLASSIFIED_PORTION = re.compile(r"\(([A-Z]{1,2})\) ")
_SEPARATOR = re.compile(r"[*_\"]{0,3}(?: ?:[*_]{0,3}(?=\s|$)| -{1,3}(?=\s|$)|-{1,3} | ?\|)")
_BOTH = re.compile(r"(?<![A-Za-z0-9])(?:DR ?[-/+&] ?SF|SF ?[-/+&] ?DR|DR SF|SF DR)(?![A-Za-z0-9])")
_SET_OFF = re.compile(
    r"(?<![A-Za-z0-9])[*!#=_~-]{1,3} ?(DR|SF) ?[*!#=_~-]{1,3}(?![A-Za-z0-9])"
    r"|^#?(DR|SF)(?=_)|^#(DR|SF)\b"
)
_AT_THE_END = re.compile(r"(?<![A-Za-z'])([A-Za-z]+) (DR|SF)$")
_OF_COUNCIL = re.compile(r"\d[\w/().]* (?:[A-Z]{1,4} ){0,4}(LIMITE)(?: [A-Z]{2})?$")
_BULLET = re.compile(r"\s*(?:[-+*o] |[|>])")
_PREFIX = re.compile(
    r"(?i)(?:partie|passage|paragraphe|section|commentaire|encadre|annexe|point|informations?"
    r"|elements?|mention)s?[ :]{1,3}(?:(?:a|en|de|du|classee?s?|sous|relevant|reservee?s?|mention)"
    r"[ :]){0,3}"
)
_FOR_THIS = re.compile(r"(?i) pour (?:ce|cette|le|la) [a-z]{4,12}(?: [a-z]{4,9})?")
_OPENS_WITHIN = re.compile(r"[\[({<] ?(?=[DS5$CRLFEN])", re.I)
_PARTS = re.compile(r"\s+-{1,3}\s+|\s*[|;]\s*|\s*: +|\s+/+\s+|-{2,3}")
_REPLY = re.compile(r"(?i)\W*(?:(?:tr|re|ref|fwd?|objet|sujet) ?: ?)*")
_SENTENCE_END = re.compile(r"[.!?;:)\"]\W*$")
_SENTENCE_BEFORE = re.compile(r"[.!?:;]\s{1,3}\"?\s?$")
_SMALL_WORDS = frozenset(
    ["de", "du", "des", "d", "la", "le", "les", "l", "en", "et", "a", "au", "aux", "the", "of"]
)
_BEFORE_A_WORD = _SMALL_WORDS | {"un", "une", "par", "avec", "ce", "cette", "pour", "sur", "ou"}
_PHOTO = re.compile(
    r"(?i)©|\(c\)|\bphotos?\b|photograph|\bcr[ée]dits? ?(?:photo|image|:)|\bl[ée]gende\b"
    r"|\billustration|\bvisuel|\bcopyright\b|droits r[ée]serv"
)
_NAME_BEFORE = re.compile(r"[A-Z][\w.'-]*,? (?:[a-z]{1,3} )?[A-Z][\w'-]+ ?$")
_LOWER_OR_END = re.compile(r"(?<![\w])[a-z][\w'-]*[\"]?[,.!?]? ?$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the body for some readers alone; `start` and `end` count its code points,
    `words` are its mark's."""

    start: int
    end: int
    marks: Marks
    words: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A mark that is worth the whole note, in its own words."""

    words: str
    marks: Marks
    doubtful: bool = False


_TOO_MANY = Whole("mentions en trop grand nombre", STRICTEST)


@dataclass(frozen=True, slots=True)
class Found:
    """The marks that were found in a text, each with what it is worth."""

    whole: tuple[Whole, ...] = ()
    passages: tuple[Passage, ...] = ()

    @property
    def marks(self) -> Marks:
        """All of them together: what a reader of the whole text must be able to see."""
        return _together(each.marks for each in self.whole) | _together(
            each.marks for each in self.passages
        )

    @property
    def of_the_whole(self) -> Marks:
        """Those that the whole note bears."""
        return _together(each.marks for each in self.whole)

    @property
    def certain(self) -> "Found":
        """Those without doubt."""
        return Found(
            tuple(each for each in self.whole if not each.doubtful),
            tuple(each for each in self.passages if not each.doubtful),
        )


def look(subject: str, body: str) -> Found:
    """Return the marks in a note's subject and body, the lines that are marks alone left to
    `marks.found`. Offsets are those of the body as it is given."""
    titled = tuple(_in_title(_flat(subject).strip(), subject))
    reading = _Body(body)
    reading.read()
    passages = tuple(reading.passages())  # first: an end without a beginning is the whole note's
    return Found(tuple(dict.fromkeys((*titled, *reading.whole))), passages)


def beside(text: str) -> Marks:
    """Return the marks in what stands outside a text, page headers say, where each line is read as
    a title is."""
    found = NONE
    flat = _flat(text).split("\n")
    for number in sorted(_candidates("\n".join(flat), flat)):
        line = flat[number].strip()
        found |= _together(each.marks for each in _in_title(line, line))
    return found


def _flat(text: str) -> str:
    return plain(text.translate(_LINE_ENDS))


def _is_credit(line: str) -> bool:
    return len(line) <= 2 * LONGEST and _PHOTO.search(line) is not None


def _together(marks: Iterable[Marks]) -> Marks:
    found = NONE
    for each in marks:
        found |= each
    return found


def _candidates(flat: str, lines: list[str]) -> set[int]:
    """The numbers of the lines that may hold a mark."""
    squeezed = letters(flat, digits=True, lines=True)
    found: set[int] = set()
    if _ANCHORS.search(squeezed):
        found = {at for at, line in enumerate(squeezed.split("\n")) if _ANCHORS.search(line)}
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return found | {bisect_right(starts, at.start()) - 1 for at in _INITIALS.finditer(flat)}


def _in_title(line: str, written: str) -> Iterator[Whole]:
    """The marks of a title: alone, in brackets, or one of the parts that signs divide it into."""
    line = line[: 2 * LONGEST]
    begins = _REPLY.match(line)
    at = begins.end() if begins else 0
    for sign in bracketed(line):
        if sign.marks.classified and not _is_formal(sign):
            continue
        if not sign.short or not _is_word(line, sign, written):
            yield Whole(sign.words, sign.marks, doubtful=sign.short and sign.bracket == "(")
    for number, part in enumerate(_PARTS.split(line[at:])):
        words = part.strip(" *_#\"'.()[]{}<>=~-")
        one = whole(words)
        if one is None or one.marks.classified or (one.short and not one.large):
            continue
        if words[0].islower() and (number == 0 or ":" in line) and len(one.words) < len(line):
            continue
        if one.short and _is_credit(written):
            continue
        yield Whole(one.words, one.marks, doubtful=not one.large or one.short)
    for both in _BOTH.finditer(line):
        if (one := whole(both[0])) is not None:
            yield Whole(one.words, one.marks)
    for other in _initials_in(line, written):
        yield Whole(other.words, other.marks, doubtful=True)
    last = whole(line.rpartition(", ")[2].strip(" .")) if ", " in line else None
    if last and not last.short and not last.marks.classified:
        yield Whole(last.words, last.marks, doubtful=True)
    leading = mark_at(line, at)
    if leading and leading.large and not leading.short and not leading.marks.classified:
        follows = line[leading.end :]
        if follows[:1] == " " and follows != follows.upper() and not goes_on(line, leading.end):
            yield Whole(leading.words, leading.marks)
    for each in said(line):
        yield Whole(each.sign.words, each.sign.marks)


def _initials_in(line: str, written: str) -> Iterator[Sign]:
    """The initials that a title sets off by signs or ends with, and the Council's LIMITE."""
    for found in _SET_OFF.finditer(line):
        if (sign := whole(found[found.lastindex or 0])) is not None:
            yield sign
    if (council := _OF_COUNCIL.search(line)) and (sign := whole(council[1])):
        yield sign
    if (end := _AT_THE_END.search(line)) and (sign := whole(end[2])) and line != line.upper():
        before = line[: end.start(2)]
        explained = _initials(before[-120:])[-2:] == letters(sign.words)
        if end[1].lower() not in _BEFORE_A_WORD and not explained and not _is_credit(written):
            yield sign


def _is_word(line: str, sign: Sign, written: str) -> bool:
    """Whether initials in a bracket are short for the words before them, or a photograph's credit;
    a lone unknown mark in small letters is a word too."""
    if not sign.short:
        return _is_unknown(sign) and sign.words[0].islower() and sign.bracket == "("
    if sign.words == "Dr":
        return True
    before = line[max(0, sign.start - 120) : sign.start]
    return _initials(before)[-2:] == letters(sign.words) or _is_credit(written)


def _is_unknown(sign: Sign) -> bool:
    return sign.marks == STRICTEST and canonical(sign.words) is None


def _initials(words: str) -> str:
    """The first letters of words, small ones left out, as `letters` writes them."""
    kept = [word for word in re.findall(r"[a-z]+", words.lower()) if word not in _SMALL_WORDS]
    return letters("".join(word[0] for word in kept))


@dataclass(frozen=True, slots=True)
class _Event:
    """A sign in the body, at an offset: where it stands and where it ends, and up to where a sign
    that stands alone is worth something."""

    start: int
    after: int
    sign: Sign
    until: int = 0
    doubtful: bool = False


@dataclass
class _Body:
    """The reading of one body: its lines, plain, and what was found in them."""

    body: str = field(repr=False)
    whole: list[Whole] = field(default_factory=list)
    events: list[_Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._written = self.body.translate(_LINE_ENDS).split("\n")
        self._lines = plain("\n".join(self._written)).split("\n")
        self._starts = list(accumulate((len(line) + 1 for line in self._written), initial=0))

        # Of the lines looked at last: a hostile text would have them looked at again and again.
        self._paragraph = self._whole_paragraph = (0, -1)
        self._sections: dict[str, tuple[int, int]] = {}
        self._widths: tuple[int, list[int]] = (-1, [])

    def read(self) -> None:
        """Find the signs of all lines."""
        flat = "\n".join(self._lines)
        if len(self._lines) != len(self._written):
            # No character that is kept looks like a line's end.
            raise AssertionError("lines of the plain text are those of the text")
        numbers = sorted(_candidates(flat, self._lines))
        for number in numbers[:MOST_LINES]:
            self._line(number)
        if len(numbers) > MOST_LINES:
            self.whole.append(_TOO_MANY)

    @cached_property
    def _titles(self) -> int:
        """The number of the first line that is text, or that is too far for a title."""
        seen = 0
        for number, line in enumerate(self._lines):
            seen += bool(line.strip())
            if seen > HEAD_LINES or is_text(line):
                return number
        return len(self._lines)

    @cached_property
    def _last(self) -> int:
        """The number of the last line with words."""
        numbers = range(len(self._lines) - 1, -1, -1)
        return next((at for at in numbers if any(map(str.isalpha, self._lines[at]))), 0)

    @cached_property
    def _portions(self) -> frozenset[str]:
        """The initials in brackets before paragraphs: letters of a list, or portion marks."""
        return frozenset(_PORTIONS.findall("\n".join(self._lines)))

    def _line(self, number: int) -> None:
        line = self._lines[number]
        places = _leads(line)
        inside = list(islice(bracketed(line), MOST_SIGNS + 1))
        if len(inside) > MOST_SIGNS:
            self.whole.append(_TOO_MANY)
            return
        ends = [sign for sign in inside if sign.kind is not Kind.STANDS]
        ends += [
            sign
            for sign in bounds(line, places[-1])
            if not any(one.start < sign.end and sign.start < one.end for one in ends)
        ]
        for sign in ends:
            self._event(number, sign)
        if any(not sign.bracket for sign in ends):
            return
        standing = [sign for sign in inside if sign.kind is Kind.STANDS]
        led = next((sign for sign in standing if sign.start in places), None)
        titled = number < self._titles and not is_sentence(line)
        if titled and not _NUMBERED.match(line) and not _BULLET.match(line):
            found = list(_in_title(line.strip(), self._written[number]))
            self.whole += found
            if found:
                return
        if led is not None:
            self._led(number, led)
        elif not self._labelled(number, places):
            led = self._heading(number, standing)
        for sign in standing:
            if sign is not led:
                self._within(number, sign)
        self._enclosed(number, {sign.start for sign in inside})
        self._sentences(number)
        self._portion(number, places)

    def _led(self, number: int, sign: Sign) -> None:
        """A paragraph behind a mark in brackets, or a mark in brackets alone before one."""
        line = self._lines[number]
        if sign.words == "Dr" or (sign.marks.classified and not _is_formal(sign)):
            return
        alone = ends_line(line, sign.end)
        if alone and sign.short and self._is_credit(number):
            return
        until = number if not alone else self._next_text(number)
        if alone and until is None:
            self._whole(sign, doubtful=True)
            return
        assert until is not None
        self._passage(number, sign, self._paragraph_end(until), doubtful=sign.bracket == "(")

    def _labelled(self, number: int, places: tuple[int, ...]) -> bool:
        """A mark that begins a line: alone as a heading is, or before a colon, a dash or, in
        capitals, the paragraph itself. Returns whether there is one."""
        line = self._lines[number]
        prefix = _PREFIX.match(line, places[-1])
        tried = (*places, prefix.end()) if prefix else places
        sign = next(filter(None, (mark_at(line, at) for at in tried)), None)
        if sign is None or (sign.short and not sign.large):
            return False
        if sign.words[0].islower() and (sign.marks.classified or not self._is_blank(number - 1)):
            return False
        if sign.marks.classified and not (sign.large or " " in sign.words):
            return False
        if this := _FOR_THIS.match(line, sign.end):
            sign = replace(sign, end=this.end())
        if ends_line(line, sign.end):
            if not sign.marks.classified:
                self._alone(number, sign)
            return True
        separator = _SEPARATOR.match(line, sign.end)
        if separator is None and not sign.short and not _is_unknown(sign):
            separator = re.compile(r"\.(?= [A-Z])").match(line, sign.end)
        follows = line[separator.end() if separator else sign.end :]
        if separator is None:
            plainly = sign.large and not sign.short and line[sign.end : sign.end + 1] == " "
            if not plainly or follows == follows.upper() or goes_on(line, sign.end):
                return False
        elif sign.short and (separator[0].strip() == "|" or self._defines(sign, follows)):
            return False
        if sign.marks.classified and number >= self._titles and separator is None:
            return False
        self._passage(number, sign, self._paragraph_end(number), doubtful=sign.short)
        return True

    def _defines(self, sign: Sign, follows: str) -> bool:
        """Whether initials are said to be short for other words."""
        return _initials(follows[:80])[:2] == letters(sign.words) and whole(follows[:40]) is None

    def _alone(self, number: int, sign: Sign) -> None:
        """A mark that is a line: of the document at its head and foot, else of what it heads."""
        if sign.short and self._is_credit(number):
            return
        if sign.words[0].islower() and not self._shape(number):
            return
        if number < self._titles or number >= self._last:
            self._whole(sign, doubtful=True)
        elif not (sign.large and not sign.short) or _NUMBERED.match(self._lines[number]):
            # In capitals, and no heading's number before it: the document's own, in `marks`.
            self._passage(number, sign, self._section_end(number), doubtful=True)

    def _heading(self, number: int, standing: list[Sign]) -> Sign | None:
        """A heading that ends with a mark: of all that it heads. Returns that mark."""
        line = self._lines[number]
        if not self._is_heading(number):
            return None
        sign = next((each for each in standing if ends_line(line, each.end)), None)
        sign = sign or _behind_sign(line)
        if sign is None or sign.marks.classified:
            return None
        if _is_word(line, sign, self._written[number]):
            return None
        before = line[: sign.start].rstrip()
        if before.endswith((".", "!", "?")) or (sign.short and _NAME_BEFORE.search(before)):
            return None
        start = Sign(0, sign.end, sign.words, sign.marks, short=sign.short)
        self._passage(number, start, self._section_end(number), doubtful=True)
        return sign

    def _enclosed(self, number: int, known: set[int]) -> None:
        """A passage in brackets that a mark begins: [SF : le ministre…]; `known`: where brackets
        begin that hold a mark alone."""
        line = self._lines[number]
        for opening in _OPENS_WITHIN.finditer(line):
            sign = None if opening.start() in known else mark_at(line, opening.end())
            separator = _SEPARATOR.match(line, sign.end) if sign else None
            if sign is None or separator is None or not line[separator.end() :].strip():
                continue
            if sign.short and (not sign.large or self._defines(sign, line[separator.end() :][:80])):
                continue
            if sign.marks.classified and not sign.large:
                continue
            start = replace(sign, start=opening.start())
            self._passage(number, start, self._paragraph_end(number), doubtful=sign.short)

    def _within(self, number: int, sign: Sign) -> None:
        """A mark in brackets within a paragraph: from there to its end, or all of it in doubt."""
        line, written = self._lines[number], self._written[number]
        if _is_word(line, sign, written) or (_is_unknown(sign) and not sign.large):
            return
        before = line[max(0, sign.start - 8) : sign.start]
        opens = _SENTENCE_BEFORE.search(before) is not None and not ends_line(line, sign.end)
        if sign.marks.classified:
            if opens and sign.large and sign.bracket == "[":
                self._whole(sign)
            return
        last = self._paragraph_end(number)
        ends = last == number and ends_line(line, sign.end)
        labels = sign.start <= SHORT_LABEL and _SEPARATOR.match(line, sign.end) is not None
        if sign.bracket != "(":
            if ends:
                self._of_paragraph(number, sign)
            elif sign.large or not sign.short:
                self._passage(number, sign, last)
        elif opens:
            self._passage(number, sign, last, doubtful=True)
        elif (
            not sign.short
            or labels
            or (ends and _LOWER_OR_END.search(line[max(0, sign.start - 40) : sign.start]))
        ):
            self._of_paragraph(number, sign)

    def _sentences(self, number: int) -> None:
        for each in said(self._lines[number]):
            if each.of_part:
                self._of_paragraph(number, each.sign)
            else:
                self._whole(each.sign)

    def _portion(self, number: int, places: tuple[int, ...]) -> None:
        """A classified portion, in a text whose paragraphs have such initials and no list does."""
        line = self._lines[number]
        for at in places:
            found = _CLASSIFIED_PORTION.match(line, at)
            if found and portion(found[1]) and not self._portions & {"A", "B"}:
                numbered = at == places[-1] and len(places) > 1 and found[1] != "C"
                if numbered or self._portions & {"U", "TS", "NP", "DR", "SF"}:
                    self.whole.append(Whole(found[0], Marks(classified=True)))
                    return

    def _whole(self, sign: Sign, *, doubtful: bool = False) -> None:
        self.whole.append(Whole(sign.words, sign.marks, doubtful))

    def _event(self, number: int, sign: Sign) -> None:
        self.events.append(_Event(self._at(number, sign.start), self._at(number, sign.end), sign))

    def _passage(self, number: int, sign: Sign, last: int, *, doubtful: bool = False) -> None:
        """What is from this sign to the end of that line."""
        self.events.append(
            _Event(
                self._at(number, sign.start),
                self._at(number, sign.end),
                sign,
                self._starts[last + 1] - 1,
                doubtful,
            )
        )

    def _of_paragraph(self, number: int, sign: Sign) -> None:
        before, after = self._whole_paragraph
        if before <= number <= after:
            first = before
        else:
            first = number
            while first > 0 and self._lines[first - 1].strip() and not self._parts(first):
                first -= 1
        last = self._paragraph_end(number)
        self._whole_paragraph = (first, last)
        start = Sign(0, 0, sign.words, sign.marks, short=sign.short)
        self._passage(first, start, last, doubtful=True)

    def _parts(self, number: int) -> bool:
        """Whether a paragraph begins with that line, be no blank one before it."""
        before = self._lines[number - 1]
        return bool(
            _STARTS_ITEM.match(self._written[number]) and _SENTENCE_END.search(before[-40:])
        )

    def _paragraph_end(self, number: int) -> int:
        """The last line of the paragraph: with the list that it announces."""
        first, last = self._paragraph
        if first <= number <= last:
            return last
        last = number
        while last + 1 < len(self._lines):
            following = last + 1
            if not self._lines[following].strip():
                listed = self._next_text(last)
                announced = self._lines[last].rstrip(' "*_').endswith(":")
                if not announced or listed is None or not _STARTS_ITEM.match(self._written[listed]):
                    break
                following = listed
            elif (
                self._begins_marked(following)
                or self._is_next_item(number, following)
                or (self._parts(following) and not self._lines[last].rstrip().endswith((":", ";")))
            ):
                break
            last = following
        self._paragraph = (number, last)
        return last

    def _is_next_item(self, number: int, following: int) -> bool:
        """Whether a line is the next item of the list in which the paragraph is one."""
        own = _ITEM_SIGN.match(self._written[number])
        other = _ITEM_SIGN.match(self._written[following])
        if own is None or other is None or own[1] != other[1]:
            return False
        if own[2] is None or other[2] is None:
            return own[2] is other[2]
        if own[2].isdigit() and other[2].isdigit():
            return int(other[2]) == int(own[2]) + 1
        return len(own[2]) == len(other[2]) == 1 and ord(other[2]) == ord(own[2]) + 1

    def _begins_marked(self, number: int) -> bool:
        """Whether the line begins with a portion's mark of its own, or with the lack of one."""
        line = self._lines[number]
        found = _PORTION.match(line, _leads(line)[-1])
        return found is not None and (unmarked(found[1]) or whole(found[1]) is not None)

    def _next_text(self, number: int) -> int | None:
        following = number + 1
        while following < len(self._lines):
            if self._lines[following].strip():
                return following
            following += 1
        return None

    def _section_end(self, number: int) -> int:
        """The last line before the next heading of the kind of this one; the last of the text."""
        shape = self._shape(number)
        if not shape:
            following = self._next_text(number)
            return self._paragraph_end(number if following is None else following)
        first, last = self._sections.get(shape, (0, -1))
        if not first <= number <= last:
            numbers = range(number + 1, len(self._lines))
            ends = (at for at in numbers if self._ends_section(at, shape))
            last = next(ends, len(self._lines)) - 1
            self._sections[shape] = (number, last)
        return last

    def _ends_section(self, number: int, shape: str) -> bool:
        line = self._lines[number]
        if not line.strip():
            return False
        if unmarked(line.strip(" *_#=-:.[]()")):
            return True
        other = self._shape(number)
        if shape.startswith("#") and other.startswith("#"):
            return len(other) <= len(shape)
        return other == shape and self._is_heading(number)

    def _shape(self, number: int) -> str:
        """The kind of heading that a line may be: by its signs, its number, or standing alone."""
        line = self._lines[number]
        if found := _HASH.match(line):
            return found[1]
        if _NUMBERED.match(line):
            return "numbered"
        alone = not line[:1].isspace() and self._is_blank(number - 1) and self._is_blank(number + 1)
        return "alone" if alone else ""

    def _is_blank(self, number: int) -> bool:
        return not 0 <= number < len(self._lines) or not self._lines[number].strip()

    def _is_heading(self, number: int) -> bool:
        line = self._lines[number].strip()
        if not line or len(line) > LONG_TITLE or line[-1] in ".;,!?":
            return False
        first = next(filter(str.isalnum, line), "")
        bullet = line[0] in "-+*" and not line.startswith("**")
        return bool(self._shape(number)) and not first.islower() and not bullet

    def _is_credit(self, number: int) -> bool:
        """Whether initials alone in a line stand under a photograph."""
        around = self._written[max(0, number - 2) : number + 3]
        return any(map(_is_credit, around))

    def _at(self, number: int, column: int) -> int:
        """The offset in the body of a place in a line of its plain form."""
        line = self._written[number]
        if column == 0 or line.isascii():
            return self._starts[number] + column
        if column >= len(self._lines[number]):
            return self._starts[number] + len(line)
        if self._widths[0] != number:
            self._widths = number, list(accumulate(len(plain(each)) for each in line))
        return self._starts[number] + bisect_right(self._widths[1], column)

    def passages(self) -> Iterator[Passage]:
        """Yield the passages in order; an end without a beginning is worth the whole note."""
        found = [
            *self._spans(Marks(Marking.DIFFUSION_RESTREINTE)),
            *self._spans(Marks(special_france=True)),
        ]
        joined: dict[tuple[int, int], Passage] = {}
        for start, after, event, mark in found:
            end = after
            while end > start and self.body[end - 1].isspace():
                end -= 1
            before = joined.get((start, end))
            marks = mark if before is None else before.marks | mark
            doubtful = event.doubtful and (before is None or before.doubtful)
            if start < end:
                words = before.words if before else event.sign.words
                joined[start, end] = Passage(start, end, marks, words, doubtful)
        for event in self.events:
            apart = Marks(classified=event.sign.marks.classified, levels=event.sign.marks.levels)
            if apart != NONE:
                self.whole.append(Whole(event.sign.words, apart))
        yield from (joined[place] for place in sorted(joined))

    def _spans(self, mark: Marks) -> Iterator[tuple[int, int, _Event, Marks]]:
        """The passages of one mark: those that begin and end, and those of signs that stand."""
        of_it = [event for event in self.events if event.sign.marks | mark == event.sign.marks]
        of_it.sort(key=lambda event: event.start)
        opened: _Event | None = None
        for place, event in enumerate(of_it):
            following = of_it[place + 1] if place + 1 < len(of_it) else None
            kind = event.sign.kind
            if kind is Kind.STANDS and following and following.sign.kind is Kind.ENDS:
                kind = Kind.BEGINS
            if kind is Kind.BEGINS:
                opened = opened or event
            elif kind is Kind.ENDS and opened is None:
                self.whole.append(Whole(event.sign.words, mark, doubtful=True))
            elif kind is Kind.ENDS and opened is not None:
                yield opened.start, event.after, opened, mark
                opened = None
            elif opened is None:
                yield event.start, event.until, event, mark
        if opened is not None:
            yield opened.start, len(self.body), opened, mark


def _leads(line: str) -> tuple[int, ...]:
    """The places where a line's words may begin: behind its signs, and behind its number."""
    lead, numbered = _LEAD.match(line), _NUMBERED.match(line)
    places = {found.end() for found in (lead, numbered) if found}
    return tuple(sorted(places)) or (0,)


def _behind_sign(line: str) -> Sign | None:
    """The mark that ends a line, behind a dash or a colon."""
    last = list(_PARTS.finditer(line))[-1:]
    sign = mark_at(line, last[0].end()) if last else None
    ends = sign is not None and ends_line(line, sign.end) and not sign.words[0].islower()
    return sign if ends else None


def _is_formal(sign: Sign) -> bool:
    """Whether a classified mark in brackets is written as a mark is."""
    return sign.bracket == "[" or sign.words[0].isupper()
