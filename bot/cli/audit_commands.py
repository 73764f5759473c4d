"""``countersign audit``: check the trail, tell one escalation's story, write everything out."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from approvals.audit.events import GENESIS, Sealed, Verdict, facts_in, request_stream, seal_of, verify
from approvals.errors import Malformed, Missing
from approvals.facts import instant_text
from bot.cli.output import REFUSED, answering, say
from bot.cli.parts import CommandParts

if TYPE_CHECKING:
    from models.audit.book import StoredEvent

_TEXTS_BEGIN: Final = 23
"""Under the sentence that they belong to, to the right of its instant."""

_HEAD: Final = re.compile(r"[0-9a-f]{64}")


def build(parts: Callable[[], CommandParts]) -> typer.Typer:
    """Return the group ``audit``."""
    audit = typer.Typer(help="The audit trail.", no_args_is_help=True)

    @audit.command("verify")
    @answering
    def verify_(
        head: Annotated[
            str | None, typer.Option(help="A chain head from outside, such as one printed in a digest.")
        ] = None,
    ) -> None:
        """Check the whole sealed chain and name the first bad record."""
        if head is not None and not _HEAD.fullmatch(head):
            raise Malformed("A head is 64 lower-case hex digits, as a digest prints it.", code="bad_head")
        book = parts().book()
        verdict = verify(book.sealed(), head=head)
        say(_verdict_text(verdict, head=head, unsealed=book.tail().events))
        if verdict.fault is not None or (head is not None and verdict.anchored_at is None):
            raise typer.Exit(REFUSED)

    @audit.command()
    @answering
    def show(escalation: Annotated[str, typer.Argument(help="The escalation's id.")]) -> None:
        """Tell one escalation's story in plain sentences."""
        story = parts().book().story(request_stream(escalation))
        if not story:
            raise Missing("There is no such escalation.")
        for told in story:
            _tell(told)

    @audit.command()
    @answering
    def export() -> None:
        """Write every sealed event as JSON Lines to standard output."""
        previous = GENESIS
        for sealed in parts().book().sealed():
            typer.echo(_json_line(sealed, previous=previous))
            previous = sealed.chain

    return audit


def _verdict_text(verdict: Verdict, *, head: str | None, unsealed: int) -> str:
    if verdict.fault is not None:
        fault = verdict.fault
        return (
            f"BROKEN at seal {fault.number} (event {fault.sequence} of {fault.stream}): {fault.why}.\n"
            f"The {verdict.checked} records before it are consistent."
        )
    tail = f"\n{unsealed} newer events are not sealed yet." if unsealed else ""
    if head is None:
        anchor = "Consistent, unanchored: without a head from outside, a rewritten chain would look the same"
    elif verdict.anchored_at is None:
        return f"BROKEN: {verdict.checked} records are consistent with one another, but the given head is not among them.{tail}"
    else:
        anchor = f"Consistent up to the given head, seal {verdict.anchored_at}"
    return f"{anchor}.\n{verdict.checked} records, head {verdict.head}{tail}"


def _tell(told: "StoredEvent") -> None:
    from approvals.presentation.story import drift_lines, sentence_of  # noqa: PLC0415 - only a story needs its words

    record = told.record
    at = instant_text(record.at)[:19].replace("T", " ")
    say(f"{at}Z  {sentence_of(record.kind, record.actor, record.data, name=lambda actor: actor)}")
    for difference in drift_lines(record.data):
        say("", quoted=difference, indent=_TEXTS_BEGIN)
    for name, text in sorted(told.texts.items(), key=_in_reading_order):
        say(f"{name}, as written: ", quoted=text, indent=_TEXTS_BEGIN)
    for name in told.altered:
        say(f"{name}: NOT as written; somebody changed it. Run: countersign audit verify", indent=_TEXTS_BEGIN)


def _in_reading_order(named: tuple[str, str]) -> tuple[bool, str, bool]:
    """Return where a text stands among an event's: why before the evidence, and of each piece its title before its text."""
    of, _, part = named[0].rpartition(" ")
    return of.startswith("evidence"), of, part == "text"


def _json_line(sealed: Sealed, *, previous: str) -> str:
    """Return one event as a line: all that a verifier needs, and what the event says. Private texts stay where they are.

    The bytes that were hashed stand in it as text, so that ``jq -j .body`` or ``.seal`` and ``sha256sum`` verify it.
    """
    return json.dumps(
        {
            "number": sealed.number,
            "stream": sealed.stream,
            "sequence": sealed.sequence,
            "event": facts_in(sealed.body) or None,
            "body": _text(sealed.body),
            "hash": sealed.hashed,
            "seal": _text(seal_of(sealed, previous=previous)),
            "chain": sealed.chain,
        },
        separators=(",", ":"),
        sort_keys=True,
    )


def _text(data: bytes) -> str | None:
    """Return hashed bytes as the text that they are; None where they are none, as after somebody changed them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
