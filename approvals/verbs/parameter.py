"""Parameters: what an agent says of a change beside its target, in four kinds.

Each knows what it takes. The agents' door derives its shapes, and OpenAPI, from the same fields, so that what is documented is
what is taken; the rules check once more, because a value may have come another way.
"""

import re
from dataclasses import dataclass

from approvals.change.action import Argument
from approvals.errors import Malformed


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNumber:
    """A whole number; both ends are included."""

    name: str
    least: int
    most: int
    description: str

    def check(self, value: Argument) -> None:
        """Return if *value* is one that this parameter takes.

        Raises:
            Malformed: It is of another type, or out of bounds.
        """
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(self.name, "a whole number")
        if not self.least <= value <= self.most:
            raise _out_of_range(self.name, f"from {self.least} to {self.most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words."""

    name: str
    options: tuple[str, ...]
    description: str

    def check(self, value: Argument) -> None:
        """Return if *value* is one that this parameter takes; raises as :meth:`WholeNumber.check`."""
        if not isinstance(value, str):
            raise _wrong_type(self.name, "a word")
        if value not in self.options:
            raise _out_of_range(self.name, f"one of {', '.join(self.options)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of one form, such as a name."""

    name: str
    form: str
    """A regular expression for the whole of it. It lets ASCII pass only, so that no letter looks like another."""
    longest: int
    """In characters."""
    description: str

    def check(self, value: Argument) -> None:
        """Return if *value* is one that this parameter takes; raises as :meth:`WholeNumber.check`."""
        if not isinstance(value, str):
            raise _wrong_type(self.name, "a word")
        if len(value) > self.longest or not re.fullmatch(self.form, value):
            raise _out_of_range(self.name, f"at most {self.longest} characters of the form {self.form}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Yes or no, always said: a switch that may be left out would have a default that nobody was asked about."""

    name: str
    description: str

    def check(self, value: Argument) -> None:
        """Return if *value* is true or false; raises as :meth:`WholeNumber.check`."""
        if not isinstance(value, bool):
            raise _wrong_type(self.name, "true or false")


Parameter = WholeNumber | Choice | Word | Switch


def place_of(name: str) -> str:
    """Return where in an escalation the parameter called *name* stands, as a JSON pointer."""
    return f"/action/parameters/{name}"


def _wrong_type(name: str, what: str) -> Malformed:
    return Malformed(f"{name} is {what}.", code="wrong_type", field=place_of(name))


def _out_of_range(name: str, what: str) -> Malformed:
    return Malformed(f"{name} is {what}.", code="out_of_range", field=place_of(name))
