"""What all payloads share: strictness, the kinds of their fields, and pydantic's findings as refusals of ours.

A refusal's sentence is made of our own words and limits only: what the stranger sent is named by its JSON pointer and
never repeated.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from approvals.errors import Malformed
from approvals.facts import instant_text
from approvals.identity.names import ESCALATION_ID, EscalationId
from models.payloads.strict_json import pointer

S = TypeVar("S", bound=BaseModel)


class PayloadShape(BaseModel):
    """A payload or a part of one: no unknown fields, no conversions, no changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TolerantShape(BaseModel):
    """As :class:`PayloadShape`, but what it does not know is passed over: for senders that are not ours to release."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("too_short", "It must not be empty.")
    return value


NOT_BLANK: Final = AfterValidator(_not_blank)
"""For a text in which something is said; Slack refuses to show blanks. It stands behind the field's own limits."""


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise PydanticCustomError("wrong_type", "It must be a number.")


Number = Annotated[Decimal, BeforeValidator(_decimal), WithJsonSchema({"type": "number"})]
"""A JSON number, exactly; a text that looks like one is refused."""

LARGEST_MEASURED: Final = 10**18
"""Of a figure, either way: an exabyte in bytes, thirty years in nanoseconds."""

Measured = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(ge=-LARGEST_MEASURED, le=LARGEST_MEASURED),
    WithJsonSchema({"type": "number", "minimum": -LARGEST_MEASURED, "maximum": LARGEST_MEASURED}),
]
"""A number such as a limit is held against."""

MOST_COUNTED: Final = 2**53 - 1
"""The largest whole number that every reader of JSON holds exactly (RFC 8259, 6)."""

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("wrong_type", "It must be a text.")
    try:
        if not _RFC_3339.fullmatch(value):
            raise ValueError("not RFC 3339")
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # 0001-01-01 east of Greenwich has no instant in UTC
        raise PydanticCustomError("wrong_format", "It must be an RFC 3339 date and time with its zone.") from error


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(instant_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An RFC 3339 date and time; what is finer than a microsecond is cut off."""


LONGEST_SENTENCE: Final = 2000
"""In characters: of a text of ours in an answer; what is longer is cut, since an answer is not refused for its length."""


def _cut(value: object) -> object:
    return value[: LONGEST_SENTENCE - 1] + "…" if isinstance(value, str) and len(value) > LONGEST_SENTENCE else value


Sentence = Annotated[str, BeforeValidator(_cut), Field(max_length=LONGEST_SENTENCE)]
"""A text for people in an answer."""

Code = Annotated[str, Field(max_length=64, pattern="^[a-z][a-z0-9_]*$")]
"""A word for programs in an answer."""

ShownId = Annotated[EscalationId, Field(max_length=30)]
"""An id in an answer; it is ours, so its form is not held against it."""

WantedId = Annotated[EscalationId, Field(max_length=30, pattern=f"^{ESCALATION_ID.pattern}$")]
"""An id in a question."""

Count = Annotated[int, Field(ge=0, le=MOST_COUNTED)]


def read(kind: type[S], value: object, *, tagged: frozenset[str] = frozenset({"action"})) -> S:
    """Return *value*, as :func:`models.payloads.strict_json.parse` returned it, as a payload of that *kind*.

    Args:
        kind: The payload's shape.
        value: What the body holds.
        tagged: Names of the top-level fields whose shape depends on a tag; pydantic counts the tag as a step.

    Raises:
        Malformed: It is not one: the first fault, with a stable code and its JSON pointer. A door answers 422.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        code, sentence, under = _finding(first)
        raise Malformed(sentence, code=code, field=pointer((*_steps(first["loc"], tagged), *under))) from None


def _steps(loc: tuple[int | str, ...], tagged: frozenset[str]) -> tuple[int | str, ...]:
    return (loc[0], *loc[2:]) if len(loc) > 1 and loc[0] in tagged else loc


_FINDINGS: Final = {
    "extra_forbidden": ("unknown_field", "There is no such field."),
    "missing": ("missing_field", "This field is required."),
    "union_tag_not_found": ("missing_field", "This field is required."),
    "union_tag_invalid": ("unknown_verb", "There is no such verb; the verbs are {expected_tags}."),
    "literal_error": ("unknown_value", "It must be {expected}."),
    "string_too_long": ("too_long", "It may have {max_length} characters at most."),
    "too_long": ("too_long", "It may have {max_length} entries at most."),
    "greater_than_equal": ("out_of_range", "It must be {ge} at least."),
    "less_than_equal": ("out_of_range", "It must be {le} at most."),
    "string_pattern_mismatch": ("wrong_format", "It must match {pattern}."),
    "int_type": ("wrong_type", "It must be a whole number."),
    "list_type": ("wrong_type", "It must be a list."),
    "dict_type": ("wrong_type", "It must be an object."),
    "model_type": ("wrong_type", "It must be an object."),
    "model_attributes_type": ("wrong_type", "It must be an object."),
    "string_type": ("wrong_type", "It must be a text."),
    "string_too_short": ("too_short", "It must not be empty."),
    "too_short": ("too_short", "It must not be empty."),
    "wrong_type": ("wrong_type", "{sentence}"),
    "wrong_format": ("wrong_format", "{sentence}"),
}
"""What pydantic finds, as a stable code and a sentence. A kind of finding not listed counts as a wrong type."""


def _finding(error: ErrorDetails) -> tuple[str, str, tuple[str, ...]]:
    """Return the code, the sentence, and what is to be added to the path."""
    kind, loc = error["type"], error["loc"]
    under: tuple[str, ...] = ("verb",) if kind in {"union_tag_not_found", "union_tag_invalid"} else ()
    if kind == "union_tag_invalid" and not isinstance(error["input"]["verb"], str):
        kind = "string_type"
    if kind == "literal_error" and not isinstance(error["input"], str):
        kind = "string_type"
    code, template = _FINDINGS.get(kind, ("wrong_type", "It must be of another type."))
    if kind == "literal_error" and loc[-1] == "kind":
        code = "unknown_kind"
    return code, template.format(**(error.get("ctx") or {}), sentence=error["msg"]), under
