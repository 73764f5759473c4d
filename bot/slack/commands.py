"""``/agent-pause``: its grammar, and what each form of it does and says. Anything else gets the grammar back.

``on`` alone stops everything, because whoever types it in a hurry means that; ``off`` alone changes nothing, because a resume
names the pause it ends.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from approvals.pause import RESUMERS, Scope, ScopeKind, scope_of
from approvals.ports import Reading, Store
from approvals.usecases.pause import EngagePause, Resume
from approvals.workload import counted
from bot.slack.kit import date_markup, escaped_line
from bot.slack.limits import REASON
from bot.slack.pause_message import pause_line, scope_words
from bot.slack.text import unescaped

COMMAND: Final = "/agent-pause"

GRAMMAR: Final = """*How to use it:*
`/agent-pause status` shows what is paused
`/agent-pause on [all | agent:NAME | namespace:ENV/NS] [30m] [reason ...]` stops at once; `on` alone stops everything
`/agent-pause off PAUSE_ID [reason ...]` agrees to resume; it takes two people"""

LISTED: Final = 10
"""How many open pauses one answer lists."""

LONGEST: Final = timedelta(days=7)
"""After at most this the resume is asked for: a stop is never refused because of the time it names."""

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_PAUSE: Final = re.compile(r"pause_[0-9A-Z]{26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Show what is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """Stop something at once."""

    scope: Scope
    duration: timedelta | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """Agree to end one pause; None shows which there are."""

    pause: str | None
    reason: str = ""


Wish = Status | On | Off


def wish_of(text: str) -> Wish | None:
    """Return what somebody typed after the command means, or None where it means nothing.

    Raises:
        Malformed: It begins like a scope and is none.
    """
    words = unescaped(text).split()
    match words:
        case ["status"]:
            return Status()
        case ["on", *rest]:
            return _on(rest)
        case ["off"]:
            return Off(pause=None)
        case ["off", pause, *reason] if _PAUSE.fullmatch(pause):
            return Off(pause=pause, reason=_reason(reason))
        case _:
            return None


def _on(words: list[str]) -> On:
    scope, duration = Scope(kind=ScopeKind.ALL), None
    if words and (words[0] == "all" or words[0].startswith(("agent:", "namespace:"))):
        scope, words = scope_of(words[0]), words[1:]
    if words and (found := _DURATION.fullmatch(words[0])):
        duration, words = min(int(found[1]) * _UNITS[found[2]], LONGEST), words[1:]
    return On(scope=scope, duration=duration, reason=_reason(words))


def _reason(words: list[str]) -> str:
    return " ".join(words)[:REASON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """Carries out what was wished; the answers are markup, for the person alone."""

    store: Store
    engage: EngagePause
    resume: Resume

    def __call__(self, wish: Wish | None, *, account: str) -> str:
        """Return the answer to *wish*.

        Raises:
            Refused: The answer is no, and why.
        """
        match wish:
            case None:
                return GRAMMAR
            case Status():
                return self._status()
            case On():
                return self._on(wish, account)
            case Off():
                return self._off(wish, account)

    def _status(self) -> str:
        with self.store.reading() as reading:
            lines = _open_pauses(reading)
        if not lines:
            return "Nothing is paused."
        more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
        return "\n".join(["*Paused:*", *lines[:LISTED], *more, "To resume one: `/agent-pause off PAUSE_ID`"])

    def _on(self, wish: On, account: str) -> str:
        engaged = self.engage(wish.scope, account=account, duration=wish.duration, reason=wish.reason)
        pause = engaged.pause
        stopped = (
            f" Stopped before they started: {counted(engaged.voided, 'approved change')}." if engaged.voided else ""
        )
        asks = (
            ""
            if pause.ask_at is None
            else f" It asks for the resume {date_markup(pause.ask_at)} and goes on until then."
        )
        what = escaped_line(scope_words(pause.scope))
        paused = "Paused already" if engaged.already else "Paused"
        return f"*{paused}: {what}.*{stopped}{asks}\nTo resume, two people run `/agent-pause off {pause.id}`."

    def _off(self, wish: Off, account: str) -> str:
        if wish.pause is None:
            return f"Nothing was changed. A resume names the pause it ends.\n{self._status()}"
        resumed = self.resume(wish.pause, account=account, reason=wish.reason)
        if resumed.pause.is_open:
            return f"You agreed to resume `{wish.pause}`. It takes {RESUMERS} people: {resumed.missing} more."
        return (
            f"*Resumed: {escaped_line(scope_words(resumed.pause.scope))}.* Approvals given before the pause do not run."
        )


def _open_pauses(reading: Reading) -> list[str]:
    return [pause_line(pause, reading.consents(pause.id)) for pause in reading.pauses()]
