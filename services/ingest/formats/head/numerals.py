"""Numbers in words and in Roman figures, as dates have them."""

_UNITS = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
            *("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize"),
        )
    )
} | {"premier": 1, "une": 1, "vingt": 20, "vingts": 20, "trente": 30, "quarante": 40}
_TENS = {"cinquante": 50, "soixante": 60, "septante": 70, "huitante": 80, "nonante": 90}
_WORDS = _UNITS | _TENS
_ROMAN = {
    figures: number
    for number, figures in enumerate(
        ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"), start=1
    )
}
MOST_WORDS = 8
"""Of a number up to 9,999: mil neuf cent quatre-vingt-dix-sept has seven."""


def in_words(text: str) -> int | None:
    """The number that folded French words are, up to 9,999; None where they are none."""
    words = [word for word in text.replace("-", " ").split() if word != "et"]
    if not words or len(words) > MOST_WORDS:
        return None
    thousands = hundreds = rest = 0
    for word in words:
        if word in ("mille", "mil"):
            thousands, hundreds, rest = max(hundreds + rest, 1), 0, 0
        elif word in ("cent", "cents"):
            hundreds, rest = 100 * max(rest, 1), 0
        elif word in ("vingt", "vingts") and rest == 4:
            rest = 80
        elif word in _WORDS:
            rest += _WORDS[word]
        else:
            return None
    return 1_000 * thousands + hundreds + rest


def roman(text: str) -> int | None:
    """The month that folded Roman figures are; None where they are none."""
    return _ROMAN.get(text)
