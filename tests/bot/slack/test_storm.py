"""A storm of alerts: decisions go first, and what is held back is counted and comes later, in a rate of its own."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.identity.tokens import TokenKind, created
from approvals.workflow.alert import AlertState, Delivery
from approvals.workflow.request import State
from sandbox.workspace import Strictness
from tests.bot.slack.office import is_answerable, text_of
from tests.builders import ADA, NOON, a_report, a_token, an_action

TICK = 0.3
"""Seconds between two steps of the relay, as in service."""

MONITOR = a_token(
    "cst_monitor",
    id="tok_01JD0000000000000000000009",
    kind=TokenKind.ALERTMANAGER,
    holder="am",
    environments=frozenset({"prod-eu-1"}),
)


class Storm:
    """An office whose time passes as the test lets it, for the store and the pace alike, at Slack's own strictness."""

    def __init__(self, make_office) -> None:
        self.passed = 0.0
        # The stand-in counts the real clock, which hardly moves here: the pace is held against the posts' instants below.
        lenient = replace(Strictness(), post_rate=None, method_rates={})
        self.office = make_office(monotonic=lambda: self.passed, strictness=lenient)
        self.posted: list[tuple[float, str]] = []
        self._seen = 0
        self._alerts = 0
        with self.office.store.writing() as uow:
            uow.save(created(MONITOR))

    def alerts(self, count: int) -> None:
        """Let a monitor report that many new alerts, each of a group of its own: nothing that could be folded."""
        self._alerts += count
        self.office.world.notice(
            Delivery(
                reports=tuple(
                    a_report(
                        group=f"g{number}",
                        fingerprint=f"f{number}",
                        starts_at=NOON,
                        labels={"alertname": f"Alert{number}"},
                        annotations={},
                    )
                    for number in range(self._alerts - count, self._alerts)
                )
            ),
            MONITOR,
        )

    def pass_by(self, seconds: float) -> None:
        """Let time pass and the relay work in it."""
        end = self.passed + seconds
        while self.passed < end:
            self.office.relay.step()
            new = self.office.messages()[self._seen :]
            self._seen += len(new)
            self.posted += [(self.passed, message.text) for message in new]
            self.passed += TICK
            self.office.pass_by(timedelta(seconds=TICK))

    def cards_of(self, *requests) -> list[float]:
        """Return when the card of each request was posted, in seconds."""
        cards = [(at, text) for at, text in self.posted if "Deployment" in text]
        return [at for at, _ in cards][: len(requests)]


@pytest.fixture
def storm(make_office) -> Storm:
    """A storm before it breaks."""
    return Storm(make_office)


def test_a_question_is_posted_within_seconds_of_a_hundred_alerts(storm):
    """Some hundred alerts came first, the question has two minutes: its card stands before it could have been missed."""
    storm.alerts(130)
    storm.pass_by(3)
    request = storm.office.world.pending(timeout=timedelta(seconds=120))
    asked = storm.passed

    storm.pass_by(5)

    card = next(one for one in storm.office.cards_in() if is_answerable(one))
    (posted,) = storm.cards_of(request)
    assert request.id in text_of(card.blocks)
    assert posted - asked <= 2


@pytest.mark.slow
def test_every_question_gets_its_card_while_alerts_pour_in(storm):
    """At two alerts a second, the k-th of the questions asked at once stands within k + 5 seconds, and every other one too."""
    storm.alerts(300)
    first = [storm.office.world.pending(f"key-{number}", action=an_action(replicas=7 + number)) for number in range(12)]
    asked_at = storm.passed
    for _ in range(20):
        storm.alerts(2)
        storm.pass_by(1)
    at_once = storm.cards_of(*first)
    later = []
    for number in range(25):
        storm.alerts(4)
        later.append(storm.office.world.pending(f"later-{number}", action=an_action(replicas=30 + number)))
        storm.pass_by(2)

    assert len(storm.cards_of(*first, *later)) == 37
    assert all(at - asked_at <= place + 5 for place, at in enumerate(at_once, start=1))


def test_information_is_bounded_and_what_is_held_back_is_counted(storm):
    """At most twenty posts a minute; the newest card says how many wait, and shown and waiting add up to all that came."""
    storm.alerts(200)
    storm.pass_by(150)

    times = [at for at, text in storm.posted if text.startswith("Alert firing")]
    newest = text_of(storm.office.card().blocks)
    (waiting,) = re.findall(r"(\d+) more alerts wait to be shown here, the oldest since", newest)
    assert max(sum(at <= one < at + 60 for one in times) for at in times) <= 20
    assert len(times) + int(waiting) == 200
    assert 35 <= len(times) <= 50


def test_what_informs_takes_no_turn_of_a_decision(storm):
    """While alerts end by the dozen, the buttons of a decided card go at the next step, and its thread is told at once."""
    storm.alerts(30)
    storm.pass_by(120)
    request = storm.office.world.pending()
    storm.pass_by(2)
    storm.office.world.notice(
        Delivery(
            reports=tuple(
                a_report(AlertState.RESOLVED, group=f"g{number}", fingerprint=f"f{number}", starts_at=NOON)
                for number in range(30)
            )
        ),
        MONITOR,
    )
    storm.pass_by(3)
    storm.office.world.answers(request, account=ADA)

    storm.pass_by(TICK)
    buttons = [message for message in storm.office.cards_in() if is_answerable(message)]
    storm.pass_by(3)

    assert storm.office.world.request(request).state is State.APPROVED
    assert buttons == []
    assert any("approved it" in text for _, text in storm.posted)
