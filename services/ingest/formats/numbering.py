"""The numbers of lists and headings, as a word processor or a browser shows them.

A document holds no number: it holds levels, how each is written, and where it begins. `Counter`
counts the levels of one list; `written` writes a number in its form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

DECIMAL, BULLET, NONE = "decimal", "bullet", "none"
BULLET_LABEL = "-"
BY_SIGN = {
    "1": DECIMAL,
    "a": "lowerLetter",
    "A": "upperLetter",
    "i": "lowerRoman",
    "I": "upperRoman",
}
"""The forms by the first number written in each, as HTML and ODT name them."""
MOST_LEVELS = 10
LARGEST = 100_000
"""Beyond it a number is not honest, and Roman numerals would have no end."""
MOST_LETTERS = 26 * 20
LONGEST_LABEL = 60
_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
MOST_ROMAN = 4_999


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a list: its form (`decimal`, `lowerLetter`, `bullet`, …), its first number, its
    text (`%1.%2.`), the level after which it begins again (-1: any above it), all in figures or
    not."""

    form: str = DECIMAL
    start: int = 1
    text: str = ""
    restart: int = -1
    figures: bool = False


@dataclass
class Counter:
    """The numbers of a list's levels so far."""

    now: dict[int, int] = field(default_factory=dict)

    def next(self, levels: Sequence[Level], depth: int, value: int | None = None) -> str:
        """Count an item of a level (0 is the first), as `value` where it is given; return its
        label: a hyphen for a bullet, empty for one that shows nothing.
        """
        level = _level(levels, depth)
        before = self.now.get(depth)
        number = value if value is not None else level.start if before is None else before + 1
        self.now[depth] = max(-LARGEST, min(number, LARGEST))
        for deeper in [each for each in self.now if each > depth]:
            after = _level(levels, deeper).restart
            if after < 0 or depth < after:
                del self.now[deeper]
        return self._label(levels, depth)

    def _label(self, levels: Sequence[Level], depth: int) -> str:
        level = _level(levels, depth)
        if level.form == BULLET:
            return BULLET_LABEL
        if level.form == NONE and not level.text:
            return ""
        label = level.text or f"%{depth + 1}."
        for above in range(min(depth, MOST_LEVELS - 1), -1, -1):
            each = _level(levels, above)
            number = self.now.get(above, each.start)
            shown = written(number, DECIMAL if level.figures else each.form)
            label = label.replace(f"%{above + 1}", shown)
        return label.strip()[:LONGEST_LABEL]


def written(number: int, form: str) -> str:
    """A number in its form; in figures where the form is not known or ends."""
    if form in (NONE, BULLET):
        return ""
    if form in ("lowerLetter", "upperLetter") and 0 < number <= MOST_LETTERS:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if form == "upperLetter" else letters
    if form in ("lowerRoman", "upperRoman") and 0 < number <= MOST_ROMAN:
        return _roman(number).upper() if form == "upperRoman" else _roman(number)
    if form == "decimalZero" and 0 <= number < 10:
        return f"0{number}"
    if form == "ordinal":
        return "1er" if number == 1 else f"{number}e"
    return str(number)


def whole(text: str | None, otherwise: int) -> int:
    """The whole number that an attribute holds; `otherwise` where it is none, or too long."""
    plain = (text or "").strip()
    if len(plain) > 7 or not plain.removeprefix("-").isdecimal():
        return otherwise
    return int(plain)


def _roman(number: int) -> str:
    parts: list[str] = []
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        parts.append(sign * count)
    return "".join(parts)


def _level(levels: Sequence[Level], depth: int) -> Level:
    return levels[depth] if depth < len(levels) else Level()
