"""``/agent-pause``: its grammar, and what each form of it does and says. Anything else gets the grammar back.

``on`` alone stops everything, because whoever types it in a hurry means that; how a slip is read is
:mod:`approvals.presentation.wording`.
``off`` alone changes nothing, because a resume names the pause it ends, and it is never read out of a slip. An answer to what
stopped nothing says so first of all; only ``status``, spelt as such, and a resume cannot have been meant as a stop.
"""

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final

from approvals.identity.names import Account
from approvals.ports.reading import Reading
from approvals.ports.store import Store
from approvals.presentation.wording import NOTHING, Stop, stop_of, storable
from approvals.usecases.operation.pause import EngagePause, Resume
from approvals.verbs.workload import counted
from approvals.workflow.pause import RESUMERS
from bot.slack.kit.blocks import date_markup, escaped_line, sentence_markup
from bot.slack.kit.text import unescaped
from bot.slack.messages.pause_message import pause_line, scope_words

COMMAND: Final = "/agent-pause"

GRAMMAR: Final = f"""{NOTHING}.
*How to use it:*
`/agent-pause status` shows what is paused
`/agent-pause on [all | agent:NAME | namespace:ENV/NS] [30m] [reason ...]` stops at once; `on` alone, or a scope in any other \
form, stops everything
`/agent-pause off PAUSE_ID [reason ...]` agrees to resume; it takes two people"""

BROKEN: Final = (
    f"{NOTHING}, as far as can be told. Something broke on our side; `/agent-pause status` shows what is paused."
)

SLOW: Final = (
    "Not done yet: this is being worked on. What comes of it is told as soon as it is known; do not count on it yet."
    " `/agent-pause status` shows what is paused."
)

LISTED: Final = 10
"""How many open pauses one answer lists."""

_PAUSE: Final = re.compile(r"pause_[0-9A-Z]{26}")
_AGAIN: Final = frozenset({COMMAND, COMMAND.removeprefix("/")})
"""The command itself, typed or pasted once more."""

_OFF: Final = ("off", "resume", "end", "unpause")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowStatus:
    """Show what is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """Agree to end one pause; None shows which there are."""

    pause: str | None
    reason: str = ""


PauseWish = ShowStatus | Stop | Off


def wish_of(text: str) -> PauseWish | None:
    """Return what somebody typed after the command means, or None where it means nothing."""
    words = list(dropwhile(lambda word: word.casefold() in _AGAIN, unescaped(text).split()))
    match words:
        case ["status"]:
            return ShowStatus()
        case ["off", pause, *reason] if _PAUSE.fullmatch(pause):
            return Off(pause=pause, reason=storable(" ".join(reason)))
        case [first, *_] if first.casefold() in _OFF:
            return Off(pause=None)
        case _:
            return stop_of(" ".join(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """Carries out what was wished; the answers are markup, for the person alone."""

    store: Store
    engage: EngagePause
    resume: Resume

    def __call__(self, wish: PauseWish | None, *, account: Account) -> str:
        """Return the answer to *wish*.

        Raises:
            Refused: The answer is no, and why.
        """
        match wish:
            case None:
                return GRAMMAR
            case ShowStatus():
                return self._status()
            case Stop():
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

    def _on(self, wish: Stop, account: Account) -> str:
        engaged = self.engage(wish.scope, account=account, duration=wish.duration, reason=wish.reason)
        pause = engaged.pause
        stopped = (
            f" Stopped before they started: {counted(engaged.voided, 'approved change')}." if engaged.voided else ""
        )
        asks = (
            ""
            if pause.ask_at is None
            else f" Countersign asks for the resume {date_markup(pause.ask_at)}; the pause does not end by itself."
        )
        what = escaped_line(scope_words(pause.scope))
        paused = "Paused already" if engaged.already else "Paused"
        remark = f" {sentence_markup(wish.remark)}" if wish.remark else ""
        return f"*{paused}: {what}.*{remark}{stopped}{asks}\nTo resume, two people run `/agent-pause off {pause.id}`."

    def _off(self, wish: Off, account: Account) -> str:
        if wish.pause is None:
            return f"{NOTHING}, and nothing was resumed. A resume names the pause it ends.\n{self._status()}"
        resumed = self.resume(wish.pause, account=account, reason=wish.reason)
        if resumed.pause.is_open:
            return f"You agreed to resume `{wish.pause}`. It takes {RESUMERS} people: {resumed.missing} more."
        return (
            f"*Resumed: {escaped_line(scope_words(resumed.pause.scope))}.* Approvals given before the pause do not run."
        )


def _open_pauses(reading: Reading) -> list[str]:
    return [pause_line(pause, reading.consents(pause.id)) for pause in reading.pauses()]
