"""One round of a long run: what is asked and answered while harm comes to a process or to the database, and what came of it."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from sandbox.workspace import Message
from tests.acceptance.agent import scale_of
from tests.acceptance.findings import DEMO
from tests.acceptance.ground import Ground
from tests.acceptance.recorder import (
    GIVEN_BACK_SECONDS,
    LATEST_SECONDS,
    PAUSE_SECONDS,
    TAKEOVER_SECONDS,
    Question,
    Reach,
    Recorder,
)
from tests.acceptance.replicas import Harm, Replicas, gave_back_at
from tests.acceptance.town import Town
from tests.stopped import gate_held_by_a_stopped_process
from tests.waiting import wait_until

STANDS_STILL_SECONDS: Final = 9.0
"""Longer than a lease holds."""

MOST_FAILURES: Final = 5
_AGAIN: Final = frozenset({429, 503})
"""An agent is told to try again: the store is away, or one replica's part of its rate is used up."""

_REPLACES: Final = "replaces an earlier one"
ADA, BORIS = "U0ADA", "U0BORIS"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One fault."""

    number: int
    how: Harm
    slot: str


@dataclass(frozen=True)
class Soak:
    """What the rounds share."""

    ground: Ground
    town: Town
    replicas: Replicas
    recorder: Recorder
    token: str
    reach: Reach
    chance: random.Random

    def try_round(self, now: Round) -> None:
        """Take down what went wrong in a round, and go on: a long run ends with its whole record, unless all goes wrong."""
        try:
            self.round(now)
        except AssertionError as error:
            self.recorder.beyond.append(f"fault {now.number} ({now.how}): {' '.join(str(error).split())[:500]}")
            if len(self.recorder.beyond) >= MOST_FAILURES:
                raise
        finally:
            self.replicas.wake()

    def round(self, now: Round) -> None:
        """Ask, approve, harm one process or the database before or after the click, and look at what came of it."""
        approved, silent = self._asks(2), self._asks(2, silent_after=self.chance.randint(4, 9))
        is_first, led = self.chance.random() < 0.5, self.replicas.leader() == now.slot
        if not is_first:
            self._approve(approved)
        time.sleep(self.chance.uniform(0, 0.5))
        begun, harmed_at = time.monotonic(), time.time()
        harmed = self.replicas.harm(now.how, now.slot)
        self.recorder.faults[now.how] += 1
        paused = self._pause(now)
        if is_first:
            self._approve(approved)

        what = f"fault {now.number} ({now.how})"
        wait_until(
            lambda: self._effect(approved) == "verified", what=f"{what}: it is done", within_s=150.0, every_s=0.3
        )
        self._note_silence(silent, what)
        if self.replicas.asleep is not None:
            time.sleep(max(0.0, begun + STANDS_STILL_SECONDS - time.monotonic()))
        if led and now.how in {Harm.KILL, Harm.STOP, Harm.TERM}:
            self._note_takeover(now, harmed_at, gave_back_at(harmed) if now.how is Harm.TERM else None)
        if self.replicas.asleep is not None:
            self.replicas.wake()
            time.sleep(1)  # What it still had in hand leaves now.

        self.recorder.read_audit_log()
        assert len(self.recorder.writes_of(approved)) == 1, f"{what}: asked once, changed once"
        for question in (approved, silent, *paused):
            self._note_cards(question, what, may_be_replaced=now.how is not Harm.TERM)

    def _asks(self, replicas: int, *, silent_after: int | None = None, namespace: str = "shop") -> Question:
        """Return what is asked: an agent that is told to try again, or hears nothing, does so, under the same key."""
        name = self.ground.new_deployment(namespace, replicas=1)
        more = {} if silent_after is None else {"timeout_seconds": silent_after}
        answers: list[httpx.Response] = []

        def accepted() -> bool:
            with suppress(httpx.HTTPError):
                body = scale_of(name, replicas, namespace=namespace, **more)
                answers.append(self.replicas.agent(self.token).post(body, key=name))
                assert answers[-1].status_code in {200, 202, *_AGAIN}, answers[-1].text
                return answers[-1].status_code not in _AGAIN
            return False

        wait_until(accepted, what="the question is taken", every_s=0.5)
        made = Question(
            id=str(answers[-1].json()["id"]), name=name, namespace=namespace, is_silent=silent_after is not None
        )
        self.recorder.questions.append(made)
        return made

    def _look(self, question: Question) -> dict[str, Any]:
        """Return how one stands, as a process says that does not stand still; nothing while none can say."""
        with suppress(httpx.HTTPError, AssertionError):
            return self.replicas.agent(self.token).look(question.id)
        return {}

    def _effect(self, question: Question) -> Any:
        return (self._look(question).get("execution") or {}).get("effect")

    def _approve(self, question: Question) -> None:
        """Click until the answer counts: where a click goes to a process that is gone, a person clicks again."""

        def counts() -> bool:
            if self._look(question).get("status", "pending") != "pending":
                return True
            self._clicks(ADA, question)
            return False

        wait_until(counts, what="the answer counts", within_s=60.0, every_s=0.5)

    def _clicks(self, user: str, question: Question) -> None:
        with suppress(Exception):
            for card in self.town.cards_of(question.id)[:1]:
                self.town.click(user, card, "approve:v1")

    def _note_silence(self, question: Question, what: str) -> None:
        """Answer a question that its deadline has ended: it stays as it is. Take down how late it ended."""
        deadline = _instant(self._wait_for(question, bool)["deadline"])
        time.sleep(max(0.0, deadline - time.time()))
        self._clicks(ADA, question)
        seen = self._wait_for(question, lambda seen: seen.get("status", "pending") != "pending")
        assert seen["status"] == "expired", f"{what}: nobody answered in time"
        ended = _instant(seen["decision"]["at"])
        late = ended - self.reach.reached(deadline, ended)
        self.recorder.lateness.append(late)
        self.recorder.bound(f"{what}: a deadline", late, LATEST_SECONDS)

    def _wait_for(self, question: Question, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        found: list[dict[str, Any]] = [{}]

        def look() -> bool:
            found[0] = self._look(question)
            return bool(is_so(found[0]))

        wait_until(look, what="a process says how it stands", within_s=60.0, every_s=0.2)
        return found[0]

    def _note_takeover(self, now: Round, harmed_at: float, given_back_at: float | None) -> None:
        """Take down when another process began to lead."""
        begun: list[float] = []

        def leads() -> bool:
            begun.extend(at for at in (self.replicas.leads_since(harmed_at),) if at is not None)
            return bool(begun)

        wait_until(leads, what=f"fault {now.number} ({now.how}): another leads", within_s=60.0, every_s=0.2)
        took = begun[0] - (given_back_at or harmed_at)
        self.recorder.takeovers.setdefault(now.how, []).append(took)
        most = TAKEOVER_SECONDS if given_back_at is None else GIVEN_BACK_SECONDS
        self.recorder.bound(f"fault {now.number} ({now.how}): a takeover", took, most)

    def _note_cards(self, question: Question, what: str, *, may_be_replaced: bool) -> None:
        cards: list[Message] = self.town.cards_of(question.id)
        assert len(cards) <= (2 if may_be_replaced else 1), f"{what}: {len(cards)} cards"
        assert cards or question.is_silent, f"{what}: nobody could have seen it"
        if len(cards) > 1:
            # Once it is drawn anew a replacement says so no more: whether it was posted as one, the trail has.
            says_so = [_REPLACES in str(card.blocks) for card in cards]
            assert any(says_so) or self.recorder.was_replaced(question), f"{what}: a second card that is no replacement"
        for replacement in cards[1:]:
            assert "<@" not in replacement.text, f"{what}: a second card that mentions somebody"
        self.recorder.cards["cards"] += len(cards)
        self.recorder.cards["replaced"] += len(cards[1:])

    def _pause(self, now: Round) -> list[Question]:
        """Where a process stands still, and now and then elsewhere, stop what two have just approved, and let it go on later.

        A start that came first is made; one that did not is never made.
        """
        if now.how is not Harm.STOP and self.chance.random() < 0.8:
            return []
        self._resume()  # A process that was woken may have had a command in hand since it was stopped.
        question = self._asks(2, namespace="payments")
        with suppress(AssertionError):  # With the leader gone its card may come too late for that.
            wait_until(lambda: self.town.cards_of(question.id), what="its card is there", within_s=8.0, every_s=0.1)
        for person in (ADA, BORIS):
            self._clicks(person, question)
        if now.how is Harm.STOP:
            with gate_held_by_a_stopped_process(self.replicas.database.restricted_url, DEMO):
                took = self._engage()
        else:
            took = self._engage()
        if took is not None:
            (self.recorder.held_pauses if now.how is Harm.STOP else self.recorder.pauses).append(took)
            self.recorder.bound(f"fault {now.number} ({now.how}): a pause", took, PAUSE_SECONDS)
        self._resume()
        return [question]

    def _engage(self) -> float | None:
        """Pause a namespace as a person does, who types again where nothing answers.

        Returns:
            How long it took from the command that was answered; None where an earlier one had paused it.
        """
        while not self.recorder.pauses_open():
            begun_at, begun = time.time(), time.monotonic()
            if self.town.commands(ADA, f"on namespace:{DEMO}/payments to see how long it takes").acked:
                with suppress(AssertionError):
                    wait_until(self.recorder.pauses_open, what="the pause is committed", within_s=10.0)
                    took = time.monotonic() - begun
                    return took if min(self.recorder.pauses_open().values()) >= begun_at else None
        return None

    def _resume(self) -> None:
        """Let two people agree until nothing is paused any more."""

        def resumed() -> bool:
            for pause in self.recorder.pauses_open():
                for person in (ADA, BORIS):
                    self.town.commands(person, f"off {pause}")
            return not self.recorder.pauses_open()

        wait_until(resumed, what="nothing is paused", within_s=90.0, every_s=0.2)


def _instant(value: str) -> float:
    return datetime.fromisoformat(value).timestamp()
