"""The tantivy side of data/fields.json: schema, tokenizers, and the document of a note."""

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

import tantivy
from pydantic_core import to_json

from services.search.data import field_kinds
from services.search.index.analysis import OTHER, STOP_WORDS, forms

TIE = "tie"
"""The leading bits of the id as a number: tantivy sorts by numbers only, and the order of these is
that of the ids. Two notes of the same instant share 63 bits once in some 10^18 pairs."""
_TIE_SHIFT = 128 - 63
_RAW, _STEMMED, _EXACT = "raw", "valise_stemmed", "valise_exact"


def tie_of(note_id: UUID) -> int:
    """The number that stands for an id in orders: its first 63 bits."""
    return note_id.int >> _TIE_SHIFT


@cache
def schema() -> tantivy.Schema:
    """The schema of the note index."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field(TIE, indexed=True, fast=True)
    for name, kind in field_kinds().items():
        _ADD[kind](builder, name)
    return builder.build()


def register_tokenizers(index: tantivy.Index) -> None:
    """Give the index the tokenizers that its schema names; each opening needs it."""
    index.register_tokenizer(_STEMMED, stemming())
    index.register_tokenizer(_EXACT, _builder().build())


def stemming() -> tantivy.TextAnalyzer:
    """Stop words and Snowball French, on words that are folded and parted by spaces."""
    stops = tantivy.Filter.custom_stopword(sorted(STOP_WORDS))
    return _builder().filter(stops).filter(tantivy.Filter.stemmer("french")).build()


def tantivy_document(document: dict[str, Any]) -> tantivy.Document:
    """The fields of `document` as tantivy takes them.

    Raises ValueError (or a kind of it) for what it can never take.
    """
    kinds = field_kinds()
    made = tantivy.Document()
    made.add_integer(TIE, tie_of(UUID(document["id"])))
    for name, value in document.items():
        _PUT[kinds[name]](made, name, value)
    return made


def _builder() -> tantivy.TextAnalyzerBuilder:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())


def _add_words(builder: tantivy.SchemaBuilder, name: str) -> None:
    builder.add_text_field(name, tokenizer_name=_STEMMED)
    builder.add_text_field(f"{name}_exact", tokenizer_name=_EXACT)


_ADD: dict[str, Callable[[tantivy.SchemaBuilder, str], object]] = {
    "keyword": lambda builder, name: builder.add_text_field(
        name, fast=True, tokenizer_name=_RAW, index_option="basic"
    ),
    "integer": lambda builder, name: builder.add_integer_field(name, indexed=True, fast=True),
    "day": lambda builder, name: builder.add_integer_field(name, indexed=True, fast=True),
    "boolean": lambda builder, name: builder.add_boolean_field(name, indexed=True),
    "words": _add_words,
    "other_words": lambda builder, name: builder.add_text_field(name, tokenizer_name=_EXACT),
    "reference": lambda builder, name: builder.add_text_field(name, tokenizer_name=_EXACT),
    "stored": lambda builder, name: builder.add_bytes_field(name, stored=True),
}


def _put_keyword(made: tantivy.Document, name: str, value: Any) -> None:
    for one in _each(value):
        made.add_text(name, one)


def _put_days(made: tantivy.Document, name: str, value: Any) -> None:
    for one in _each(value):
        made.add_integer(name, date.fromisoformat(one).toordinal())


def _put_words(made: tantivy.Document, name: str, value: str) -> None:
    exact, folded = forms(value)
    made.add_text(name, folded)
    made.add_text(f"{name}_exact", exact)


def _each(value: Any) -> Iterator[str]:
    return iter(value if isinstance(value, list) else (value,))


_PUT: dict[str, Callable[[tantivy.Document, str, Any], object]] = {
    "keyword": _put_keyword,
    "integer": lambda made, name, value: made.add_integer(name, value),
    "day": _put_days,
    "boolean": lambda made, name, value: made.add_boolean(name, value),
    "words": _put_words,
    "other_words": lambda made, name, value: made.add_text(name, forms(value, OTHER)[1]),
    "reference": lambda made, name, value: made.add_text(name, forms(value)[1]),
    "stored": lambda made, name, value: made.add_bytes(name, to_json(value)),
}
