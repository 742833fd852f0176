"""Protection marks: what a freely written mark asks for, and who a marked text is for.

Readers form four audiences, by whether they may see *Diffusion Restreinte* and *Spécial France*.
"""

import re

from schemas.query import Reader
from schemas.vocabulary import Marking

STRICTEST = (Marking.DIFFUSION_RESTREINTE, True)

AUDIENCES = 4
"""Bit 0: sees diffusion_restreinte; bit 1: sees special_france."""


def rights_of(mark: str) -> tuple[Marking, bool]:
    """The marking and special_france that a mark asks for; the strictest for an unknown one."""
    plain = re.sub(r"[\W_]+", "_", mark.casefold()).replace("é", "e").strip("_")
    match plain:
        case "non_protege":
            return Marking.NON_PROTEGE, False
        case "diffusion_restreinte":
            return Marking.DIFFUSION_RESTREINTE, False
        case "special_france":
            return Marking.NON_PROTEGE, True
    return STRICTEST


def audience_of(reader: Reader) -> int | None:
    """The audience that the reader belongs to; None for one who may see no note at all."""
    if Marking.NON_PROTEGE not in reader.markings:
        return None
    return (Marking.DIFFUSION_RESTREINTE in reader.markings) + 2 * reader.special_france


def admits(audience: int, marking: Marking, special_france: bool) -> bool:
    """Whether that audience may see what bears these marks."""
    needed = (marking is Marking.DIFFUSION_RESTREINTE) + 2 * special_france
    return needed & ~audience == 0
