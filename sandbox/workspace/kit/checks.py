"""Small checks from which the Block Kit rules are put together.

A check looks at one value at one JSON pointer and notes what is wrong. It never
raises and never changes the value, so one pass names every problem, as Slack's
own answer does. The rules themselves are in the sibling modules.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Which switch of the strictness a problem belongs to."""

    SHAPE = "shape"
    LIMIT = "limit"
    EMPTY = "empty"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    kind: Kind
    pointer: str
    text: str

    def __str__(self) -> str:
        """Return it as Slack words it in ``response_metadata.messages``."""
        return f"[ERROR] {self.text} [json-pointer:{self.pointer}]"


@dataclass(slots=True)
class Report:
    """Collects problems while the checks walk a payload."""

    problems: list[Problem] = field(default_factory=list)

    def note(self, kind: Kind, pointer: str, text: str) -> None:
        """Add one problem."""
        self.problems.append(Problem(kind=kind, pointer=pointer, text=text))


Check = Callable[[object, str, Report], None]


def string(*, most: int | None = None, least: int = 1, choices: Iterable[str] = ()) -> Check:
    """Check a string of *least* to *most* characters, both included, or one of *choices*."""
    allowed = tuple(choices)

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, str):
            report.note(Kind.SHAPE, at, "must be a string")
        elif allowed and value not in allowed:
            report.note(Kind.SHAPE, at, f"must be one of: {', '.join(allowed)}")
        elif len(value) < least:
            report.note(Kind.EMPTY, at, f"must be more than {least - 1} characters")
        elif most is not None and len(value) > most:
            report.note(Kind.LIMIT, at, f"must be less than {most + 1} characters")

    return check


def boolean(value: object, at: str, report: Report) -> None:
    """Check a true boolean; 0 and "true" are not."""
    if not isinstance(value, bool):
        report.note(Kind.SHAPE, at, "must be a boolean")


def integer(*, least: int | None = None, most: int | None = None) -> Check:
    """Check a whole number between *least* and *most*, both included."""

    def check(value: object, at: str, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            report.note(Kind.SHAPE, at, "must be an integer")
        elif (least is not None and value < least) or (most is not None and value > most):
            report.note(Kind.LIMIT, at, f"must be between {least} and {most}")

    return check


def number(value: object, at: str, report: Report) -> None:
    """Check an integer or a fraction."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        report.note(Kind.SHAPE, at, "must be a number")


def array(item: Check, *, most: int | None = None, least: int = 1) -> Check:
    """Check a list of *least* to *most* items, both included, each by *item*."""

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, list):
            report.note(Kind.SHAPE, at, "must be an array")
            return
        if len(value) < least:
            report.note(Kind.EMPTY, at, f"no less than {least} items allowed")
        if most is not None and len(value) > most:
            report.note(Kind.LIMIT, at, f"no more than {most} items allowed")
        for index, each in enumerate(value):
            item(each, f"{at}/{index}", report)

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Check an object that has every *required* field, maybe *optional* ones, and no others."""
    known = {**(optional or {}), **required}

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.note(Kind.SHAPE, at, "must be an object")
            return
        for name in required:
            if name not in value:
                report.note(Kind.SHAPE, at, f"missing required field: {name}")
        for name, each in value.items():
            if name in known:
                known[name](each, f"{at}/{name}", report)
            else:
                report.note(Kind.SHAPE, at, f"additional property: {name}")

    return check


def typed(checks: Mapping[str, Check]) -> Check:
    """Check an object by the rules that its ``type`` names."""

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.note(Kind.SHAPE, at, "must be an object")
            return
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in checks:
            report.note(Kind.SHAPE, f"{at}/type", f"unsupported type: {kind}")
            return
        checks[kind](value, at, report)

    return check


def also(*checks: Check) -> Check:
    """Check one value by several rules."""

    def check(value: object, at: str, report: Report) -> None:
        for each in checks:
            each(value, at, report)

    return check
