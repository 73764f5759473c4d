"""Acting for a person: do the work in its pool, acknowledge in time, and tell them what came of it, in time or not.

What is committed is committed before Slack is answered that it was done. Where that takes longer than Slack waits, Slack is told
in time that it is being worked on, which claims nothing: the work goes on, and what came of it is told as soon as it is known.
An error or silence would be worse: it reads as if nothing had been done, and whatever stands between may send the act again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import structlog

from approvals.errors import Refused
from bot.runtime.pools import BoundedPool
from bot.slack.inbound.answers import Answers, Person
from bot.slack.kit.blocks import sentence_markup

log = structlog.get_logger(__name__)

CUT_OFF_SECONDS: Final = 2.5
"""How long a person's act may take before it counts as unanswered; Slack gives up at three."""

SLOW: Final = (
    "Not done yet: this is being worked on. What comes of it is told as soon as it is known; do not count on it yet."
)
"""What a person is told in time of an act that is not done in time."""

BROKEN: Final = "Something broke on our side. Look at the card to see how it stands before you try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateAnswer:
    """What came of somebody's act, in words for them alone."""

    text: str
    """Markup of ours."""
    done: bool
    """False for a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalWords:
    """What a person is told where their act came to nothing."""

    of: Callable[[Refused], str] = attrgetter("sentence")
    """The sentence for a refusal."""
    broken: str = BROKEN
    """Markup for an error of ours."""


class Acting:
    """Carries out people's acts. Lives on the event loop that made it."""

    def __init__(self, answers: Answers, *, cut_off_seconds: float = CUT_OFF_SECONDS) -> None:
        """Keep how people are told."""
        self._answers = answers
        self._cut_off = cut_off_seconds
        self._telling: set[asyncio.Task[None]] = set()

    async def act(self, person: Person, pool: BoundedPool, work: Callable[[], str]) -> PrivateAnswer | None:
        """Return what came of *work*, or None where it is not known in time; the person is told by a note, then and afterwards.

        Args:
            person: Who acts.
            pool: Where *work* runs.
            work: Returns markup for the person, or raises a refusal.
        """
        said = await self.attempt(person, pool, work, slow=SLOW)
        if said is not None:
            self.tell(person, said.text)
        return said

    async def attempt(
        self,
        person: Person,
        pool: BoundedPool,
        work: Callable[[], str],
        words: "RefusalWords | None" = None,
        *,
        slow: str = "",
    ) -> PrivateAnswer | None:
        """Return the same and leave it to the caller to tell the person, unless it is not known in time.

        Args:
            person: Who acts.
            pool: Where *work* runs.
            work: Returns markup for the person, or raises a refusal.
            words: What is said where it comes to nothing.
            slow: What is told first where it is not known in time; empty where the caller says that.
        """
        outcome = asyncio.create_task(_outcome(pool, work, words or RefusalWords()))
        await asyncio.wait({outcome}, timeout=self._cut_off)
        if outcome.done():
            return outcome.result()
        log.warning("act.slow", account=person.account, pool=pool.name)
        self._later(self._tell_of(person, outcome, slow))
        return None

    def tell(self, person: Person, text: str) -> None:
        """Tell *person* something, without waiting for it."""
        self._later(self._answers.tell(person, text))

    async def close(self) -> None:
        """Return when everybody has been told, or cannot be at once."""
        self._answers.close()
        while self._telling:
            await asyncio.wait(self._telling)

    async def _tell_of(self, person: Person, outcome: "asyncio.Task[PrivateAnswer]", slow: str) -> None:
        if slow:
            await self._answers.tell(person, slow)
        await self._answers.tell(person, (await outcome).text)

    def _later(self, telling: Coroutine[Any, Any, None]) -> None:
        # The loop keeps only a weak hold on a task.
        task = asyncio.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


async def _outcome(pool: BoundedPool, work: Callable[[], str], words: RefusalWords) -> PrivateAnswer:
    try:
        return PrivateAnswer(text=await pool.run(work), done=True)
    except Refused as refusal:
        return PrivateAnswer(text=sentence_markup(words.of(refusal)), done=False)
    except Exception:
        # The outermost frame of a person's act: logged, and told as what it is.
        log.exception("act.broken")
        return PrivateAnswer(text=words.broken, done=False)
