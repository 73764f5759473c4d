"""What the commands are given and print: results to standard output, refusals to standard error with an exit code by kind.

What was typed is made valid text before a command sees it: a stop must not fail on how its reason was typed. Whatever came
from outside goes through :func:`approvals.presentation.visible.visible`, so that it cannot drive the terminal.
"""

import re
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import Final, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from approvals.canonical import NotCanonical
from approvals.errors import Refused, Unavailable
from approvals.facts import instant_text
from approvals.presentation.visible import visible, visible_line

REFUSED: Final = 1
"""The answer is no; nothing has changed but the record of it."""

UNAVAILABLE: Final = 3
"""The answer is not known now; asking again later is fine. (2 is a command that cannot be understood.)"""

_NO_BYTE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters that stand for no byte."""

_UNFOLDED: Final = 4096
"""Columns where no terminal shows them; a table is only as wide as its cells."""


def say(text: str, *, quoted: str = "", indent: int = 0) -> None:
    """Print one line, or several, *indent* columns from the left; *quoted*, which is another's, on the same line after it."""
    # Made visible once: twice, the sign that stands for a line end would itself be shown by its number.
    Console(highlight=False, soft_wrap=True).print(Text(" " * indent + visible(text).text + visible_line(quoted)))


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows under their columns, if those have names, as wide as the terminal lets them be.

    The first column is never folded: it holds the ids that people copy. Nothing is where a program reads it.
    """
    names = tuple(columns)
    drawn = Table(box=None, pad_edge=False, header_style="bold", show_header=any(names))
    for number, column in enumerate(names):
        drawn.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        drawn.add_row(*(Text(visible(cell).text) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else _UNFOLDED).print(drawn)


def moment(at: datetime) -> str:
    """Return *at* to the second, with its zone: nobody who is woken reckons which one a bare time is in."""
    return f"{instant_text(at)[:19]}Z"


def fail(sentence: str, *, code: str, exit_code: int = REFUSED) -> NoReturn:
    """Print why the answer is no, and end the command."""
    sys.stderr.write(f"countersign: {visible(sentence).text} [{code}]\n")
    raise typer.Exit(exit_code)


P = ParamSpec("P")
R = TypeVar("R")


def answering(command: Callable[P, R]) -> Callable[P, R]:
    """Return *command* with what was typed made valid text, and its refusals turned into a message and an exit code."""

    @wraps(command)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        kwargs.update({name: _valid(value) for name, value in kwargs.items()})
        try:
            return command(*args, **kwargs)
        except Unavailable as error:
            fail(error.for_operators, code=error.code, exit_code=UNAVAILABLE)
        except Refused as refusal:
            fail(refusal.for_operators, code=refusal.code)
        except NotCanonical:
            # Only what is stored is ever decoded here, and we store nothing else: somebody was at the database.
            fail("A record of the audit trail cannot be read. Run: countersign audit verify", code="broken_trail")

    return answered


def _valid(value: object) -> object:
    r"""Return text without what cannot be stored or shown: bytes that are none are spelt out, such as ``\xe9``.

    Python hands them on as half characters, which no encoder takes. Paths are left as they are: a file may be called so.
    """
    # Only the halves that stand for bytes can be spelt out; nothing else that no encoder takes may keep a stop from being made.
    if isinstance(value, list):
        return [_valid(one) for one in value]
    if type(value) is not str:
        return value
    whole = _NO_BYTE.sub("\ufffd", value)
    return whole.encode(errors="surrogateescape").decode(errors="backslashreplace")
