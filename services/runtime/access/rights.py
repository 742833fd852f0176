"""What a caller may see of a note: all of it, nothing, or the text without its marked passages.

The one place that decides it, for a note at hand and for what the index holds of it. A passage that
is not for the caller is replaced in the text, and the tags are those of the text so shortened: what
was found in the passage is no evidence any more, and a tag without evidence is none. Pure.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from schemas.access import Caller, Role
from schemas.classification import (
    Classification,
    CountryTag,
    Evidence,
    OrganisationTag,
    ThemeTag,
)
from schemas.events import ClassifiedNote, CorrectionTags, Kind, NoteEvent
from schemas.marks import AUDIENCES, admits, audience_of, needed, rights_of
from schemas.note import MarkedSpan, Note
from schemas.query import Reader

EVERYTHING = AUDIENCES - 1
"""The audience that may see every mark there is."""

HIDDEN = "[passage réservé]"
"""What stands in the place of a passage, whatever its length. The views of events on the log were
classified with it: another wording needs a new release of the classifier."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Which notes a caller may see, for whoever chooses among many: those that need no more than
    one of `needs` (`schemas.marks.needed`), and all of `posts` (EVERY_POST: of every one).
    """

    needs: tuple[int, ...]
    posts: frozenset[str] = frozenset()


TagT = TypeVar("TagT", ThemeTag, CountryTag, OrganisationTag)


def audience_for(caller: Caller, note: Note) -> int | None:
    """The audience as which the caller sees the note; None: it does not.

    The post that sent a note sees it as it was sent.
    """
    audience = audience_at(caller, note.post)
    if audience is None:
        return None
    return audience if admits(audience, note.marking, note.special_france) else None


def audience_at(caller: Caller, post: str) -> int | None:
    """Return the audience that the caller belongs to for the notes of that post; None for none."""
    if caller.submits_for(post):
        return EVERYTHING
    return audience_of(caller.reader) if caller.may(Role.READ) else None


def sight_of(caller: Caller) -> Sight:
    """The notes for which `audience_for` gives this caller an audience."""
    audience = audience_of(caller.reader) if caller.may(Role.READ) else None
    needs = () if audience is None else (each for each in range(AUDIENCES) if not each & ~audience)
    return Sight(tuple(needs), caller.posts if caller.may(Role.SUBMIT) else frozenset())


def sees_every_mark(reader: Reader) -> bool:
    """Whether no note and no passage is hidden from this reader."""
    return audience_of(reader) == EVERYTHING


def sees_whole(caller: Caller, note: Note) -> bool:
    """Whether the caller may see the note with all its passages."""
    audience = audience_for(caller, note)
    return audience is not None and not hidden_spans(note, audience)


def hidden_spans(note: Note, audience: int) -> tuple[MarkedSpan, ...]:
    """The passages of the note that are not for that audience."""
    return tuple(note.marked_spans[place] for place in hidden_places(note, audience))


def hidden_places(note: Note, audience: int) -> tuple[int, ...]:
    """Where those passages stand among the note's `marked_spans`."""
    return tuple(
        place
        for place, span in enumerate(note.marked_spans)
        if not admits(audience, *rights_of(span.mark))
    )


def ways_seen(note: Note) -> dict[tuple[int, ...], list[int]]:
    """The ways in which audiences see the note, by what is hidden from them (`hidden_places`): the
    whole note first, then each shortened text, with the audiences that see it so.
    """
    ways: dict[tuple[int, ...], list[int]] = {(): []}
    for audience in range(AUDIENCES):
        if admits(audience, note.marking, note.special_france):
            ways.setdefault(hidden_places(note, audience), []).append(audience)
    return ways


@dataclass(frozen=True, slots=True)
class Restriction:
    """What one revision of a note keeps from readers: all of it from those who lack one of `needs`
    (bits of AUDIENCES), and each of its marked passages, by what that one needs."""

    needs: int
    passages: tuple[tuple[int, str], ...] = ()

    def hides(self, audience: int) -> frozenset[str] | None:
        """Return the texts that this revision hides from the audience; None: all of it."""
        found = self.hidden(audience)
        return None if found is None else frozenset(found)

    def hidden(self, audience: int) -> Counter[str] | None:
        """The same, each text as often as it is hidden."""
        if self.needs & ~audience:
            return None
        return Counter(text for needs, text in self.passages if needs & ~audience)


def restriction_of(note: Note) -> Restriction:
    """Return what the note, in this revision, keeps from readers."""
    return Restriction(
        needed(note.marking, note.special_france),
        tuple((needed(*rights_of(span.mark)), _text_of(note, span)) for span in note.marked_spans),
    )


def narrowed(note: Note | None, later: Note, audience: int) -> bool:
    """Whether `later`, the note after a rectification, keeps from that audience what it sees now:
    the note, or a passage that was not marked, or read otherwise, before, or whose words it sees
    elsewhere. None: of a state before that nobody knows, so that any passage counts."""
    return Losing(note, audience).by(restriction_of(later))


class Losing:
    """A state of a note as an audience sees it, to be asked what a later revision takes from it."""

    def __init__(self, note: Note | None, audience: int) -> None:
        self._audience = audience
        self._sees = note is None or admits(audience, note.marking, note.special_france)
        self._hidden = None if note is None else _passages(note, audience)
        self._shown = None if note is None or not self._sees else note_for(note, audience)

    def by(self, later: Restriction, *, thorough: bool = True) -> bool:
        """Whether that revision keeps something from the audience; without `thorough`, words that
        it hides and that are said elsewhere too are not looked for."""
        if not self._sees:
            return False
        hidden = later.hidden(self._audience)
        if hidden is None:
            return True
        if self._shown is None or self._hidden is None or hidden - self._hidden:
            return bool(hidden)
        return thorough and tells(self._shown, hidden)


def tells(note: Note, hidden: Iterable[str]) -> bool:
    """Whether one of these texts stands in the note: said twice, it may be hidden once."""
    return any(text in note.subject or text in note.body for text in hidden)


def narrows(note: Note, later: NoteEvent) -> bool:
    """Whether a later change of a note keeps from somebody what they see of it now."""
    return later.kind is Kind.WITHDRAWN or any(
        narrowed(note, later.note, audience) for audience in range(AUDIENCES)
    )


def note_for(note: Note, audience: int) -> Note:
    """The note as that audience sees it: the very same where no passage is hidden from it."""
    return _redacted(note, hidden_spans(note, audience))[0]


def event_for(event: ClassifiedNote, audience: int) -> ClassifiedNote:
    """The classified note as that audience sees it, its tags and their evidence included.

    A shortened text bears the tags that were found in it, where the event has them; else those of
    the whole note for which something outside the hidden passages speaks.
    """
    hidden = hidden_places(event.note, audience)
    if not hidden:
        return event
    note, cuts = _redacted(event.note, [event.note.marked_spans[place] for place in hidden])
    known = [view.classification for view in event.views if view.hidden == hidden]
    seen = known[0] if known else _shortened(event.classification, cuts)
    return event.model_copy(
        update={
            "note": note,
            "classification": seen,
            # The other views may tell of these passages.
            "views": (),
            "correction_tags": _seen_correction(event.correction_tags, seen),
        }
    )


def _passages(note: Note, audience: int) -> Counter[str]:
    """What stands in the passages that are not for that audience, each text as often."""
    return Counter(_text_of(note, span) for span in hidden_spans(note, audience))


def _text_of(note: Note, span: MarkedSpan) -> str:
    return (note.subject if span.field == "subject" else note.body)[span.start : span.end]


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Where a text was cut: starts and ends of its hidden passages, in order, apart."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    shifts: tuple[int, ...]
    """By how much what follows so many passages has moved."""

    @classmethod
    def of(cls, spans: Sequence[MarkedSpan], field: str) -> "_Cuts":
        starts: list[int] = []
        ends: list[int] = []
        for start, end in sorted((s.start, s.end) for s in spans if s.field == field):
            # Passages that touch are one: two replacements would tell where one mark ends.
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        lengths = (end - start for start, end in zip(starts, ends, strict=True))
        shifts = accumulate((len(HIDDEN) - length for length in lengths), initial=0)
        return cls(tuple(starts), tuple(ends), tuple(shifts))

    def text(self, text: str) -> str:
        """The text with its hidden passages replaced."""
        pieces, at = [], 0
        for start, end in zip(self.starts, self.ends, strict=True):
            pieces += [text[at:start], HIDDEN]
            at = end
        return "".join([*pieces, text[at:]])

    def moved(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a span of the text stands now; None where a hidden passage has part of it."""
        before = bisect_right(self.ends, start)
        if before < len(self.starts) and self.starts[before] < end:
            return None
        return start + self.shifts[before], end + self.shifts[before]

    def trimmed(self, start: int, end: int) -> tuple[int, int] | None:
        """Where what is left of a span stands now, from its first letter to its last; None where
        hidden passages have all of it."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if first < len(self.starts) and self.starts[first] <= start:
            start, first = self.ends[first], first + 1
        if last and self.ends[last - 1] >= end:
            end, last = self.starts[last - 1], last - 1
        if start >= end:
            return None
        return start + self.shifts[first], end + self.shifts[last]


def _redacted(note: Note, spans: Sequence[MarkedSpan]) -> tuple[Note, dict[str, _Cuts]]:
    if not spans:
        return note, {}
    cuts = {field: _Cuts.of(spans, field) for field in ("subject", "body")}
    kept, cut = [], set(spans)
    for span in note.marked_spans:
        place = cuts[span.field].trimmed(span.start, span.end)
        if span not in cut and place is not None:
            kept.append(span.model_copy(update={"start": place[0], "end": place[1]}))
    return (
        note.model_copy(
            update={
                "subject": cuts["subject"].text(note.subject),
                "body": cuts["body"].text(note.body),
                "marked_spans": tuple(kept),
            }
        ),
        cuts,
    )


def _shortened(found: Classification, cuts: dict[str, _Cuts]) -> Classification:
    """What is left of the whole note's tags: roles and scores may be owed to hidden passages."""
    return found.model_copy(
        update={
            "themes": _seen(found.themes, cuts),
            "countries": _seen(found.countries, cuts),
            "organisations": _seen(found.organisations, cuts),
        }
    )


def _seen(tags: Sequence[TagT], cuts: dict[str, _Cuts]) -> tuple[TagT, ...]:
    """The tags that something outside the hidden passages speaks for."""
    found = []
    for tag in tags:
        left = tuple(filter(None, (_moved(each, cuts) for each in tag.evidence)))
        if left:
            found.append(_narrowed(tag.model_copy(update={"evidence": left})))
    return tuple(found)


def _narrowed(tag: TagT) -> TagT:
    """A theme's tag with the sub-themes that its evidence names."""
    if not isinstance(tag, ThemeTag):
        return tag
    named = {each.source.partition(":")[2] for each in tag.evidence}
    left = tuple(sub for sub in tag.subthemes if f"{tag.theme}.{sub}" in named)
    return tag.model_copy(update={"subthemes": left})


def _moved(evidence: Evidence, cuts: dict[str, _Cuts]) -> Evidence | None:
    place = cuts[evidence.field].moved(evidence.start, evidence.end)
    if place is None:
        return None
    return evidence.model_copy(update={"start": place[0], "end": place[1]})


def _seen_correction(
    correction: CorrectionTags | None, seen: Classification
) -> CorrectionTags | None:
    """Of a reader's tags those that the rest of the text speaks for: they come without evidence,
    and one may be the matter of a hidden passage alone.
    """
    if correction is None:
        return None
    themes = {tag.theme for tag in seen.themes}
    subthemes = {f"{tag.theme}.{sub}" for tag in seen.themes for sub in tag.subthemes}
    countries = {tag.country for tag in seen.countries}
    return CorrectionTags(
        themes=tuple(code for code in correction.themes if code in themes | subthemes),
        countries=tuple(code for code in correction.countries if code in countries),
    )
