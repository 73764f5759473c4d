"""``countersign digest --preview``: what the weekly digest would say of the seven days up to now."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import answering, fail, moment, say, table
from bot.cli.parts import CommandParts

if TYPE_CHECKING:
    from approvals.presentation.digest import WeeklyDigest


def build(parts: Callable[[], CommandParts]) -> Callable[..., None]:
    """Return the command ``digest``."""

    @answering
    def digest(
        preview: Annotated[  # noqa: FBT002 - a flag, as typer has them
            bool, typer.Option("--preview", help="Show it here; posting is the service's work.")
        ] = False,
    ) -> None:
        """Show the weekly digest."""
        if not preview:
            fail("The service posts the digest by itself; --preview shows it here.", code="preview_only")
        for one in parts().digests():
            _show(one)

    return digest


def _show(digest: "WeeklyDigest") -> None:
    from approvals.presentation.digest import DRIFTS  # noqa: PLC0415 - the other commands need no digest

    say(f"{digest.environment}: {moment(digest.start)} to {moment(digest.end)}")
    rows = [("asked", str(digest.asked)), *((f"  {state}", str(number)) for state, number in digest.outcomes.items())]
    rows += [("expired and shown to nobody", str(digest.unseen))]
    rows += [("refused at intake", str(digest.refused)), ("answers that did not count", str(digest.answers_refused))]
    rows += [(f"executions {state}", str(number)) for state, number in digest.executions.items()]
    rows += [(f"drift {DRIFTS[when]}", str(number)) for when, number in digest.drift.items()]
    rows += [("median time to decide", _text(digest.median)), ("95th percentile", _text(digest.p95))]
    noisiest = "nobody" if digest.noisiest is None else f"{digest.noisiest[0]} ({digest.noisiest[1]})"
    rows += [("asked most", noisiest), ("pauses", str(digest.pauses))]
    rows += [("records that could not be read", str(digest.unreadable))] if digest.unreadable else []
    table(("", ""), rows)
    # Apart from the table, which a narrow terminal would fold: it is copied, whole, to `audit verify --head`.
    head = digest.head
    say("audit chain: empty" if head is None else f"audit chain: {head.number} events, head {head.chain}")


def _text(duration: timedelta | None) -> str:
    from approvals.presentation.digest import duration_told  # noqa: PLC0415 - likewise

    return "-" if duration is None else duration_told(duration)
