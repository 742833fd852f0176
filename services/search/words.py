"""What a reader typed in the search box, as a small tree that both indexes understand alike.

All words must be there; `"a phrase"` in its order; `-word` or `-"a phrase"` must be absent;
`a OU b`, `a OR b`, `a | b` are alternatives and bind tighter than the rest. French and curly
quotation marks count as quotes. Nothing that can be typed is an error.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

MAX_TERMS = 50
"""Terms of one query; what follows is left out. A subject line pasted whole has some 30 words,
and 50 terms on every text field stay far below the engines' limit of 1,024 clauses."""

_OPERATORS = frozenset({"OU", "OR"})
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_PIECE = re.compile(r'(?P<bar>\|)|(?P<minus>-*)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"|-][^\s"|]*))')


@dataclass(frozen=True, slots=True)
class Term:
    """One word (hyphens and apostrophes included) or one quoted phrase, as typed."""

    text: str
    quoted: bool = False


Clause = tuple[Term, ...]
"""Alternatives: one of them must be there."""


@dataclass(frozen=True, slots=True)
class Words:
    """Every clause of `all_of` must match, no term of `none_of` may."""

    all_of: tuple[Clause, ...] = ()
    none_of: tuple[Term, ...] = ()

    @property
    def relaxable(self) -> bool:
        """Whether any of the words may stand for all when nothing has them all."""
        return len(self.all_of) > 1 and not all(
            term.quoted for clause in self.all_of for term in clause
        )

    @property
    def wanted(self) -> Iterator[Term]:
        """The terms that may be there: what is ranked and highlighted."""
        return (term for clause in self.all_of for term in clause)

    def keeping(self, says_something: Callable[[str], bool]) -> "Words":
        """The same without the terms whose text says nothing (stop words, punctuation)."""
        clauses = (
            tuple(term for term in clause if says_something(term.text)) for clause in self.all_of
        )
        return replace(
            self,
            all_of=tuple(clause for clause in clauses if clause),
            none_of=tuple(term for term in self.none_of if says_something(term.text)),
        )


def parse(typed: str) -> Words:
    """The tree of what was typed. Never raises; an operator with nothing to join is left out,
    but alone in the box it is the word that it spells."""
    clauses: list[list[Term]] = []
    excluded: list[Term] = []
    joining = False
    typed = typed.translate(_QUOTES)
    pieces = list(_PIECE.finditer(typed))
    for piece in pieces:
        if len(excluded) + sum(map(len, clauses)) >= MAX_TERMS:
            break
        if _is_operator(piece) and len(pieces) > 1:
            joining = True
            continue
        term = _term(piece)
        if term is None:
            continue
        if _excludes(piece, typed):
            excluded.append(term)
        elif joining and clauses:
            clauses[-1].append(term)
        else:
            clauses.append([term])
        joining = False
    return Words(tuple(tuple(clause) for clause in clauses), tuple(excluded))


def _is_operator(piece: re.Match[str]) -> bool:
    return bool(piece["bar"]) or (piece["word"] in _OPERATORS and not piece["minus"])


def _term(piece: re.Match[str]) -> Term | None:
    if piece["phrase"] is not None:
        text = piece["phrase"].strip()
        return Term(text, quoted=True) if text else None
    return Term(piece["word"]) if piece["word"] else None


def _excludes(piece: re.Match[str], typed: str) -> bool:
    """A hyphen excludes at the start of a word only."""
    at = piece.start()
    return bool(piece["minus"]) and (at == 0 or typed[at - 1].isspace() or typed[at - 1] == "|")
