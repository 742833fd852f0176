"""What a reader typed, as the words of French notes and as those of notes in other languages.

The reader does not choose: a note is asked for the words as its own language has them. In French
« sur » says nothing and is left out; in Spanish it is the south.
"""

from dataclasses import dataclass, replace

from services.search.index.analysis import FRENCH, OTHER, says_something
from services.search.words import Words, parse


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tree of what was typed, for each of the two chains."""

    french: Words
    other: Words

    @property
    def anything(self) -> bool:
        """Whether any word is asked for or excluded."""
        return bool(self.french.all_of or self.other.none_of)

    @property
    def relaxable(self) -> bool:
        """Whether any of the words may stand for all when nothing has them all."""
        return self.french.relaxable or self.other.relaxable


def wanted(typed: str) -> Wanted:
    """Both trees of what was typed. What says nothing in French asks for no note at all."""
    tree = parse(typed)
    french = tree.keeping(lambda text: says_something(text, FRENCH))
    other = tree.keeping(lambda text: says_something(text, OTHER))
    return Wanted(french, other if french.all_of else replace(other, all_of=()))
