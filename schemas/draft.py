"""What a preview is asked for: a note that need not be whole."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.note import MAX_BODY, MAX_SUBJECT, Line, MarkedSpan, Text
from schemas.vocabulary import Marking, PostCode


class Draft(BaseModel):
    """A note, or as much of it as there is. What bears on no tag and on no protection (reference,
    date, …) may stand there and is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: Annotated[Line, Field(max_length=MAX_SUBJECT)] = ""
    body: Annotated[Text, Field(min_length=1, max_length=MAX_BODY)]
    post: PostCode | None = None
    marking: Marking = Marking.NON_PROTEGE
    special_france: bool = False
    marked_spans: tuple[MarkedSpan, ...] = Field(default=(), max_length=1_000)
