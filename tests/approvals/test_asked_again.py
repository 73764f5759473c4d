"""The same effect asked again: what binds another key to a question, and what is told of the past."""

from dataclasses import replace

import pytest

from approvals.audit.events import AuditEvent, EventKind
from approvals.facts import facts_of
from approvals.identity.names import EscalationId
from approvals.workflow.request import (
    LATELY,
    BoundKey,
    Earlier,
    State,
    asked_again,
    asked_before,
    earlier_of,
    question_key,
)
from tests.builders import BORIS, CHEN, MINUTE, NOON, a_request, about

TICK = MINUTE / 60 / 1_000_000
NOW = a_request(id="esc_now")
BEFORE = replace(NOW, id=EscalationId("esc_before"), state=State.EXPIRED, asked_at=NOON - MINUTE, decided_at=NOON)
DENIED = replace(BEFORE, id=EscalationId("esc_denied"), state=State.DENIED, decided_by=(BORIS,))


def test_another_key_is_bound_and_nothing_else_changes():
    """The event names key, body and token, so that the trail rebuilds what the key stands for."""
    bound = BoundKey(agent="scaler", key="key-2", escalation=NOW.id, body_hash="d", bound_at=NOON)

    assert asked_again(NOW, key="key-2", body_hash="d", token="tok_2", now=NOON) == about(
        BoundKey,
        nouns=(bound,),
        events=(
            AuditEvent(
                kind=EventKind.REQUEST_ASKED_AGAIN,
                stream=f"request:{NOW.id}",
                actor="agent:scaler",
                at=NOON,
                data={"key": facts_of(bound), "token_id": "tok_2"},
            ),
        ),
    )


def test_a_question_is_told_apart_by_agent_person_and_effect():
    """Each of the three makes another question; whoever asks for nobody is one of its own."""
    asked = [
        question_key(agent=agent, on_behalf_of=person, effect_key=effect)
        for agent, person, effect in [
            ("scaler", None, "e"), ("other", None, "e"), ("scaler", CHEN, "e"), ("scaler", None, "f"), ("scaler", "e", ""),
        ]
    ]  # fmt: skip

    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(
    ("asked_at", "counts"),
    [(NOON, True), (NOON + TICK, False), (NOON - LATELY + TICK, True), (NOON - LATELY, False)],
    ids=["at once", "later", "almost a day before", "a day before"],
)
def test_what_was_asked_up_to_a_day_before_counts(asked_at, counts):
    """The window is half open: exactly a day before has stopped counting."""
    other = replace(BEFORE, asked_at=asked_at)

    assert asked_before(NOW, (NOW, other)) == ((other,) if counts else ())


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        ((NOW,), Earlier(asked=0, denied=None)),
        ((NOW, BEFORE), Earlier(asked=1, denied=None)),
        ((DENIED, BEFORE), Earlier(asked=2, denied=DENIED)),
        ((replace(DENIED, decided_at=NOON - LATELY),), Earlier(asked=1, denied=None)),
        ((replace(DENIED, decided_at=None),), Earlier(asked=1, denied=None)),
        (
            (replace(DENIED, id=EscalationId("esc_old"), decided_at=NOON - MINUTE), DENIED),
            Earlier(asked=2, denied=DENIED),
        ),
        (
            (replace(DENIED, asked_at=NOON + MINUTE, decided_at=NOON + 2 * MINUTE),),
            Earlier(asked=0, denied=replace(DENIED, asked_at=NOON + MINUTE, decided_at=NOON + 2 * MINUTE)),
        ),
        ((replace(NOW, state=State.DENIED, decided_at=NOON),), Earlier(asked=0, denied=None)),
    ],
    ids=[
        "itself",
        "asked",
        "denied",
        "denied too long ago",
        "no instant",
        "the last denial",
        "denied since",
        "its own",
    ],
)
def test_people_are_told_how_often_it_was_asked_and_who_denied_it_last(same, expected):
    """Whoever asked: a denial of this effect is news even where it comes after the question."""
    assert earlier_of(NOW, same) == expected
