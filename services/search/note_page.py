"""The page of one note: its text, and the passages that speak for its tags. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from schemas.answers import TagCodes, Trace
from schemas.classification import Classification, Evidence
from schemas.events import ClassifiedNote
from schemas.marks import NONE, Marks, canonical, names, rights_of
from schemas.note import Note
from schemas.vocabulary import FRENCH, Role, language_code
from services.runtime.registry import OriginalRow
from services.runtime.visible import visible
from services.search import french
from services.search.citations import Links
from services.search.dates import is_ahead
from services.search.disagreement import disagreement
from services.search.document import Tags, tags_in_force
from services.search.markup import plain, signs
from services.search.passages import Segment, Shape, Span, laid_out

QUOTES_SHOWN = 6
"""Passages listed under a tag at once; the others fold away."""
MENTIONED = f"pays-{Role.MENTIONED.value}"
HIDDEN_SIGN, STRONG = "sign", "strong"
"""Tags of stretches of text that are not shown, or shown in bold."""
MOST_SIGNS = 20_000
"""Beyond, a text is shown as it is: ten times what a report of 500 pages has, half a second."""
MENTIONED_SHOWN = 4
"""Countries mentioned that are listed at once; a report can mention forty."""
QUOTE_CHARACTERS = 80
"""Of a passage in the list; the text has it whole."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One marked passage: its anchor, the tag it speaks for, its words as quoted in the list."""

    anchor: str
    tag: str
    quote: str


@dataclass(frozen=True, slots=True)
class Label:
    """A tag of the note: its anchor, style, words, short form beside a passage, passages."""

    anchor: str
    style: str
    short: str
    label: str
    kind: str
    detail: str
    doubt: str
    passages: tuple[Passage, ...]

    @property
    def shown(self) -> tuple[Passage, ...]:
        """The passages listed at once."""
        return self.passages[:QUOTES_SHOWN]

    @property
    def folded(self) -> tuple[Passage, ...]:
        """The other passages."""
        return self.passages[QUOTES_SHOWN:]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: plain, or marked for one or more tags; `strong` where its author set it
    off, empty where a sign of Markdown stands.

    `anchors` are the passages that begin here, `labels` those tags whose passage ends here.
    """

    text: str
    styles: tuple[str, ...] = ()
    title: str = ""
    anchors: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Pieces in a row that bear the same protection marks of their own, which `mention` names;
    empty: none."""

    mention: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph or a table, in runs."""

    table: bool
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """A note that this one cites or that cites it; without an address where it cannot be read."""

    reference: str
    subject: str
    href: str


@dataclass(frozen=True, slots=True)
class Original:
    """The document that a note was read from: its address, its kind and size in words, its name."""

    href: str
    label: str
    name: str


@dataclass(frozen=True, slots=True)
class NotePage:
    """All that the page of a note shows. `language` is that of its subject and text.

    `found` is what the classifier had found, where a reader's correction replaced it;
    `differences` say where it differs from what the author declared. `original` is the
    document that it was read from, `marks` names the protection marks of the whole note,
    `passage_marks` those of the passages that this reader sees; `title` is
    the subject with these alone.
    """

    id: str
    revision: int
    language: str
    language_name: str
    subject: str
    title: tuple[Run, ...]
    marks: tuple[str, ...]
    passage_marks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    related: tuple[tuple[str, tuple[Related, ...]], ...]
    labels: tuple[Label, ...]
    corrected: bool
    found: str
    differences: tuple[str, ...]
    marked_subject: tuple[Run, ...]
    body: tuple[TextBlock, ...]
    original: Original | None = None
    steps: tuple[tuple[str, str, str], ...] = ()

    @property
    def shown(self) -> tuple[Label, ...]:
        """The tags listed at once: all but the countries that are only mentioned."""
        return tuple(label for label in self.labels if label not in self.mentioned)

    @property
    def mentioned(self) -> tuple[Label, ...]:
        """Countries mentioned, folded away where they are many."""
        return tuple(label for label in self.labels if label.style == MENTIONED)

    @property
    def fold_mentioned(self) -> bool:
        """Whether they are too many to be read through."""
        return len(self.mentioned) > MENTIONED_SHOWN


def note_page(
    event: ClassifiedNote,
    trace: Trace,
    cited: Links | None = None,
    original: OriginalRow | None = None,
) -> NotePage:
    """What the page shows for this state of a note, its trace and its links; `original` is that of
    the note, where the reader may have it."""
    note = event.note
    found = _evidence(tags_in_force(event))
    numbered = _numbered(found)
    labels = tuple(label for label, _ in numbered)
    by_passage = {passage.anchor: label for label in labels for passage in label.passages}
    mentions = {f"mention:{span.mark}": _mark(span.mark) for span in note.marked_spans}
    own = {
        where: [*_mention_spans(note, where, mentions), *_markup_spans(text)]
        for where, text in (("subject", note.subject), ("body", note.body))
    }
    spans = {where: [*_spans(numbered, where), *own[where]] for where in own}
    seen: set[str] = set()
    return NotePage(
        id=str(event.note_id),
        revision=event.revision,
        language=language_code(note.language),
        language_name=french.language(note.language),
        subject=plain(note.subject),
        title=_line(note.subject, own["subject"], {}, mentions, set()),
        marks=names(note.marking, note.special_france),
        passage_marks=_names(mentions.values()),
        facts=tuple(_facts(event)),
        original=None if original is None else _original(event.note_id, original),
        related=tuple((name, found) for name, found in _related(cited or Links()) if found),
        labels=labels,
        corrected=event.correction_tags is not None,
        found="" if event.correction_tags is None else _listed(_found(event.classification)),
        differences=tuple(_differences(event)),
        marked_subject=_line(note.subject, spans["subject"], by_passage, mentions, seen)
        if any(span.tag not in (HIDDEN_SIGN, STRONG) for span in spans["subject"])
        else (),
        body=tuple(
            TextBlock(
                shape is Shape.TABLE,
                _runs(segments, by_passage, mentions, seen),
            )
            for shape, segments in laid_out(note.body, spans["body"])
        ),
        steps=tuple(
            (french.STEPS.get(step.step, step.step), french.moment(step.at), step.detail)
            for step in trace.steps
        ),
    )


Evidenced = tuple[Label, Sequence[Evidence]]


def _evidence(tags: Tags) -> Iterable[Evidenced]:
    """Each tag, without its passages yet, and its evidence."""
    for theme in tags.themes:
        label = french.theme(theme.theme)
        yield (
            Label(
                anchor=f"theme-{theme.theme}",
                style=f"theme-{theme.theme}",
                short="".join(word[0].upper() for word in label.split()),
                label=label,
                kind="Thème",
                detail=", ".join(
                    french.subtheme(f"{theme.theme}.{sub}") for sub in theme.subthemes
                ),
                doubt=french.doubt(theme.score),
                passages=(),
            ),
            theme.evidence,
        )
    for country in sorted(tags.countries, key=lambda tag: tag.role is not Role.ABOUT):
        yield (
            Label(
                anchor=f"pays-{country.country}",
                style=f"pays-{country.role.value}",
                short=country.country,
                label=french.country(country.country),
                kind="Pays",
                detail=french.ROLES[country.role],
                doubt=french.doubt(country.score),
                passages=(),
            ),
            country.evidence,
        )
    for organisation in tags.organisations:
        yield (
            Label(
                anchor=f"organisation-{'-'.join(organisation.id.split())}",
                style="organisation",
                short=organisation.id,
                label=organisation.id,
                kind="Organisation",
                detail="",
                doubt="",
                passages=(),
            ),
            organisation.evidence,
        )


def _found(found: Classification) -> TagCodes:
    """What the classifier says the note is about."""
    themes = [
        code
        for tag in found.themes
        for code in ([f"{tag.theme}.{sub}" for sub in tag.subthemes] or [tag.theme])
    ]
    about = [tag.country for tag in found.countries if tag.role is Role.ABOUT]
    return TagCodes(themes=tuple(themes), countries=tuple(about))


def _listed(codes: TagCodes) -> str:
    names = [*map(french.tag, codes.themes), *map(french.country, codes.countries)]
    return f"{french.NBSP}; ".join(names) or "aucun thème ni pays"


def _differences(event: ClassifiedNote) -> Iterable[str]:
    """Where the author's tags and the classifier's differ, in sentences without their full stop."""
    between = disagreement(event.note, event.classification)
    if between is None:
        return
    if between.declared_only != TagCodes():
        yield (
            "Déclaré par l’auteur, non reconnu dans le texte"
            f"{french.NBSP}: {_listed(between.declared_only)}"
        )
    if between.found_only != TagCodes():
        yield (
            "Reconnu dans le texte, non déclaré par l’auteur"
            f"{french.NBSP}: {_listed(between.found_only)}"
        )


def _numbered(found: Iterable[Evidenced]) -> list[tuple[Label, list[tuple[Passage, Evidence]]]]:
    """Each tag with its passages in the order of the text, each with an anchor of its own."""
    numbered = []
    count = 0
    for label, evidence in found:
        places = {(one.field != "subject", one.start, one.end): one for one in evidence}
        passages = []
        for place in sorted(places):
            count += 1
            one = places[place]
            passages.append((Passage(f"passage-{count}", label.anchor, _quote(one.text)), one))
        whole = Label(
            **{name: getattr(label, name) for name in Label.__slots__ if name != "passages"},
            passages=tuple(passage for passage, _ in passages),
        )
        numbered.append((whole, passages))
    return numbered


def _spans(
    numbered: Sequence[tuple[Label, Sequence[tuple[Passage, Evidence]]]], where: str
) -> list[Span]:
    return [
        Span(evidence.start, evidence.end, passage.anchor)
        for _, passages in numbered
        for passage, evidence in passages
        if evidence.field == where
    ]


Mention = tuple[str, Marks]
"""A passage's mark as it was written, where that is no mark we know, and what it stands for."""


def _mark(written: str) -> Mention:
    marking, special_france = rights_of(written)
    known = canonical(written) is not None
    words = "" if known else french.quoted(_quote(written))
    return words, Marks(marking, special_france)


def _mention_spans(note: Note, where: str, mentions: dict[str, Mention]) -> list[Span]:
    """The passages with a mark of their own, of those that restrict who may see them."""
    return [
        Span(span.start, span.end, tag)
        for span in note.marked_spans
        if span.field == where and mentions[tag := f"mention:{span.mark}"][1] != NONE
    ]


def _markup_spans(text: str) -> list[Span]:
    """The signs of Markdown, which are not shown, and what they set off; none of too many."""
    found = signs(text)
    if len(found) > MOST_SIGNS:
        return []
    return [Span(sign.start, sign.end, HIDDEN_SIGN if sign.hidden else STRONG) for sign in found]


def _original(note_id: UUID, row: OriginalRow) -> Original:
    return Original(
        href=f"/api/v1/notes/{note_id}/original",
        label=f"{french.document(row.media_type)}, {french.size(row.bytes)}",
        name=visible(row.name),
    )


def _names(mentions: Iterable[Mention]) -> tuple[str, ...]:
    """What marks are called together, each once: those we do not know first, as written."""
    written, together = [], NONE
    for words, marks in mentions:
        written += [words] if words else []
        together |= marks
    return (*dict.fromkeys(written), *names(together.marking, together.special_france))


def _line(
    text: str,
    spans: Sequence[Span],
    labels: dict[str, Label],
    mentions: dict[str, Mention],
    seen: set[str],
) -> tuple[Run, ...]:
    return tuple(
        run
        for _, segments in laid_out(text, spans)
        for run in _runs(segments, labels, mentions, seen)
    )


def _runs(
    segments: Iterable[Segment],
    labels: dict[str, Label],
    mentions: dict[str, Mention],
    seen: set[str],
) -> tuple[Run, ...]:
    def mention(segment: Segment) -> str:
        return ", ".join(_names(mentions[tag] for tag in segment.tags if tag in mentions))

    runs = []
    for name, together in groupby(segments, mention):
        pieces = tuple(_piece(segment, labels, seen) for segment in together)
        said = any(piece.text.strip() for piece in pieces)
        runs.append(Run(name if said else "", pieces))
    return tuple(runs)


def _piece(segment: Segment, labels: dict[str, Label], seen: set[str]) -> Piece:
    speaking = [tag for tag in segment.tags if tag in labels]
    begun = [anchor for anchor in speaking if anchor not in seen]
    seen.update(begun)
    over = list(dict.fromkeys(labels[anchor] for anchor in speaking))
    return Piece(
        text="" if HIDDEN_SIGN in segment.tags else segment.text,
        strong=STRONG in segment.tags,
        styles=tuple(label.style for label in over),
        title=" ; ".join(f"{label.kind} : {label.label}" for label in over),
        anchors=tuple(begun),
        labels=tuple(dict.fromkeys(labels[tag] for tag in segment.ends if tag in labels)),
    )


def _facts(event: ClassifiedNote) -> Iterable[tuple[str, str]]:
    note = event.note
    yield "Référence", note.reference + _guess(event, "reference")
    yield "Poste", french.post(note.post)
    yield "Genre", french.genre(note.genre)
    ahead = is_ahead(note.date, event.received_at, event.at)
    yield "Date de la note", french.dated(note.date, ahead=ahead) + _guess(event, "date")
    yield "Reçue", french.moment(event.received_at)
    if event.revision > 1 or event.at != event.received_at:
        yield "Modifiée", f"{french.moment(event.at)}, révision {event.revision}"
    if language_code(note.language) != FRENCH:
        yield "Langue", french.language(note.language)
    if note.author:
        yield "Auteur", note.author
    if note.addressees:
        yield "Destinataires", ", ".join(note.addressees)
    if note.declared_themes:
        yield "Thèmes déclarés", ", ".join(map(french.tag, dict.fromkeys(note.declared_themes)))
    if note.declared_countries:
        named = map(french.country, dict.fromkeys(note.declared_countries))
        yield "Pays déclarés", ", ".join(named)
    yield "Suite attendue", "Pour action" if note.action == "action" else "Pour information"
    if note.attachments:
        yield "Pièces jointes", ", ".join(note.attachments)


def _guess(event: ClassifiedNote, name: str) -> str:
    """What stands beside a value that the document does not state."""
    return " (déduite, le document ne la donne pas)" if name in event.guessed else ""


def _related(cited: Links) -> Iterable[tuple[str, tuple[Related, ...]]]:
    for kind, named in (("replies_to", "En réponse à"), ("cites", "Notes citées")):
        yield (
            named,
            tuple(
                Related(one.reference, one.subject or "", f"/notes/{one.id}" if one.id else "")
                for one in cited.cites
                if one.kind == kind
            ),
        )
    for kind, named in (("replies_to", "Réponses"), ("cites", "Citée par")):
        yield (
            named,
            tuple(
                Related(
                    f"{french.post(one.post)}, {one.reference}", one.subject, f"/notes/{one.id}"
                )
                for one in cited.cited_by
                if one.kind == kind
            ),
        )


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_CHARACTERS else line[: QUOTE_CHARACTERS - 1] + "…"
