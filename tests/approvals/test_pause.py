"""Pauses: what they cover, which answers outlive them, and what it takes to end one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.audit.events import AuditEvent, EventKind, unchanged
from approvals.errors import Malformed, Settled
from approvals.facts import facts_of
from approvals.identity.place import Place
from approvals.workflow.pause import (
    REPEATED,
    RESUMERS,
    Consent,
    Pause,
    Scope,
    ScopeKind,
    ask_for_resume,
    consent_to_end,
    engage,
    engage_again,
    open_pause_over,
    scope_of,
    survives,
)
from tests.builders import ADA, BORIS, MINUTE, NOON, TICK, a_pause, about

ALL = Scope(kind=ScopeKind.ALL)
SCALER = Scope(kind=ScopeKind.AGENT, name="scaler")
SHOP = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
HERE = Place(agent="scaler", environment="prod-eu-1", namespace="shop")
LATER = NOON + MINUTE


def place(**changed: str) -> Place:
    """Return where ``scaler`` acts on the shop, changed."""
    return Place(**{"agent": "scaler", "environment": "prod-eu-1", "namespace": "shop", **changed})


@pytest.mark.parametrize(
    ("scope", "where", "covered"),
    [
        (ALL, HERE, True),
        (ALL, place(agent="x", environment="y", namespace="z"), True),
        (SCALER, HERE, True),
        (SCALER, place(environment="y", namespace="z"), True),
        (SCALER, place(agent="scaler2"), False),
        (SHOP, HERE, True),
        (SHOP, place(agent="x"), True),
        (SHOP, place(namespace="pay"), False),
        (SHOP, place(environment="prod-us-1"), False),
        (Scope(kind=ScopeKind.AGENT, name="prod-eu-1/shop"), HERE, False),
        (Scope(kind=ScopeKind.NAMESPACE, name="scaler"), HERE, False),
    ],
)
def test_a_pause_covers_its_scope_and_nothing_else(scope, where, covered):
    """Everything, one agent wherever it acts, or one namespace of one environment whoever acts."""
    assert scope.covers(where) is covered


@pytest.mark.parametrize(
    ("text", "scope"), [("all", ALL), ("agent:scaler", SCALER), ("namespace:prod-eu-1/shop", SHOP)]
)
def test_a_scope_is_read_as_it_is_written(text, scope):
    """What is typed after ``on`` is what the notice says."""
    assert scope_of(text) == scope
    assert str(scope) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ALL",
            "all ",
            "all\n",
            "everything",
            "agent",
            "agent:",
            "agent:Scaler",
            "agent:1a",
            "agent:a b",
            "agent:a\n",
        ),
        *("namespace:", "namespace:shop", "namespace:/shop", "namespace:prod/", "namespace:a/b/c", "namespace:a/b\n"),
        *("namespace:A/b", "xagent:a", "xnamespace:a/b"),
    ],
)
def test_anything_else_is_no_scope(text):
    """A misspelt pause must not stop less than was meant and look like a stop."""
    with pytest.raises(Malformed) as refusal:
        scope_of(text)

    assert (refusal.value.code, refusal.value.sentence) == (
        "unknown_scope",
        "A scope is all, agent:NAME or namespace:ENVIRONMENT/NAMESPACE.",
    )


def ended(epoch: int, **changed: Any) -> Pause:
    """Return a pause that ended in *epoch*."""
    return a_pause(**{"ended_at": LATER, "ended_epoch": epoch, **changed})


def test_a_pause_is_open_until_it_has_an_end():
    """Neither its duration nor having been asked about ends it."""
    assert a_pause(ask_at=NOON, asked_at=NOON).is_open
    assert not ended(2).is_open


def test_only_an_open_pause_over_the_place_stops():
    """An ended one, or one elsewhere, stops nothing; of several the first that covers is named."""
    elsewhere = a_pause(Scope(kind=ScopeKind.AGENT, name="other"))
    by_agent, by_all = a_pause(SCALER, id="pause_a"), a_pause(id="pause_b")

    assert open_pause_over((), HERE) is None
    assert open_pause_over((ended(2), elsewhere), HERE) is None
    assert open_pause_over((ended(2), elsewhere, by_agent, by_all), HERE) == by_agent


@pytest.mark.parametrize(
    ("pauses", "epoch", "counts"),
    [
        ((), 0, True),
        ((a_pause(),), 99, False),
        ((ended(4),), 3, False),
        ((ended(4),), 4, True),
        ((ended(4),), 5, True),
        ((ended(4), ended(6)), 5, False),
        ((ended(4), ended(6)), 6, True),
        ((ended(4), a_pause()), 9, False),
        ((a_pause(Scope(kind=ScopeKind.AGENT, name="other")),), 0, True),
        ((ended(4, scope=Scope(kind=ScopeKind.AGENT, name="other")),), 0, True),
    ],
)
def test_what_was_said_before_a_pause_does_not_outlive_it(pauses, epoch, counts):
    """I4: an answer counts while no covering pause is open, and from the epoch in which the last one ended on."""
    assert survives(pauses, HERE, epoch=epoch) is counts


@given(st.lists(st.booleans(), max_size=5))
def test_no_answer_given_before_an_end_survives_it_however_short_the_pause(history):
    """Whatever pauses came and went, an answer counts exactly if none ended after it was given and none is open."""
    pauses, epoch, votes = [], 0, [0]
    for stays_open in history:
        epoch += 1
        opened = a_pause(engaged_epoch=epoch)
        votes.append(epoch)
        if not stays_open:
            epoch += 1
            opened = ended(epoch, engaged_epoch=epoch - 1)
            votes.append(epoch)
        pauses.append(opened)

    still_open = any(pause.is_open for pause in pauses)
    last_end = max((pause.ended_epoch or 0 for pause in pauses), default=0)
    for vote in votes:
        assert survives(pauses, HERE, epoch=vote) == (not still_open and vote >= last_end)


@pytest.mark.parametrize(("reason", "private"), [("", {}), ("deploy went wrong", {"reason": "deploy went wrong"})])
def test_engaging_is_written_down_whole(reason, private):
    """The event holds the pause; the person's words stand beside the chain."""
    pause = a_pause(SHOP, ask_at=LATER)

    assert engage(pause, reason=reason) == about(
        Pause,
        nouns=(pause,),
        events=(
            AuditEvent(
                kind=EventKind.PAUSE_ENGAGED,
                stream="pause",
                actor=ADA,
                at=NOON,
                data={"pause": facts_of(pause)},
                private=private,
            ),
        ),
    )


def test_engaging_again_is_written_down_whole():
    """The event holds the pause as it is from then on; words that are new stand beside the chain."""
    pause = a_pause(SHOP, ask_at=NOON, asked_at=NOON)
    again = replace(pause, ask_at=LATER + TICK, asked_at=None, revision=2)

    transition = engage_again(pause, ask_at=LATER + TICK, reason="again", known_reason="once", now=LATER)

    event = AuditEvent(
        kind=EventKind.PAUSE_REPEATED,
        stream="pause",
        actor=ADA,
        at=LATER,
        data={"pause": facts_of(again)},
        private={"reason": "again"},
    )
    assert transition == about(Pause, nouns=(again,), events=(event,))


def test_engaging_again_at_the_same_time_is_nothing():
    """A minute later is no later, and an earlier time, the same reason or none is nothing new (I14)."""
    pause = a_pause(SHOP, ask_at=LATER)

    asked = [
        engage_again(pause, ask_at=ask_at, reason=reason, known_reason="once", now=LATER)
        for ask_at in (NOON, LATER, LATER + REPEATED)
        for reason in ("", "once")
    ]

    assert asked == [unchanged(pause)] * 6


def a_consent(account: str = ADA, person: str | None = None, **changed: Any) -> Consent:
    """Return *account*'s agreement to end the pause, given a minute past noon."""
    given = {"pause": a_pause().id, "person": person or account, "account": account, "at": LATER}
    return Consent(**{**given, **changed})


@pytest.mark.parametrize(("reason", "private"), [("", {}), ("fixed", {"reason": "fixed"})])
def test_the_first_agreement_is_noted_and_ends_nothing(reason, private):
    """One person alone resumes nothing; the pause goes on at a new revision, so that two at once cannot both be first."""
    consent = a_consent()

    transition = consent_to_end(a_pause(), consent, agreed=frozenset(), next_epoch=2, reason=reason)

    seen = a_pause(revision=2)
    assert transition == about(
        Pause,
        nouns=(consent, seen),
        events=(
            AuditEvent(
                kind=EventKind.PAUSE_CONSENTED,
                stream="pause",
                actor=ADA,
                at=LATER,
                data={"consent": facts_of(consent), "pause_id": seen.id, "pause": facts_of(seen)},
                private=private,
            ),
        ),
    )


@pytest.mark.parametrize(("reason", "private"), [("", {}), ("fixed", {"reason": "fixed"})])
def test_the_second_persons_agreement_ends_it_in_the_next_epoch(reason, private):
    """Two people end it; both are named, and the epoch it ended in is what later answers are held against."""
    consent = a_consent(BORIS)

    transition = consent_to_end(a_pause(), consent, agreed=frozenset({ADA}), next_epoch=2, reason=reason)

    over = a_pause(revision=2, ended_at=LATER, ended_epoch=2)
    assert transition == about(
        Pause,
        nouns=(consent, over),
        events=(
            AuditEvent(
                kind=EventKind.PAUSE_CONSENTED,
                stream="pause",
                actor=BORIS,
                at=LATER,
                data={"consent": facts_of(consent), "pause_id": over.id},
                private=private,
            ),
            AuditEvent(
                kind=EventKind.PAUSE_ENDED,
                stream="pause",
                actor=BORIS,
                at=LATER,
                data={"pause": facts_of(over), "persons": [ADA, BORIS]},
            ),
        ),
    )


@pytest.mark.parametrize("agreed", [frozenset(), frozenset({ADA})], ids=["one", "the same again"])
def test_one_person_never_resumes_alone(agreed):
    """T-KILL-06: people are counted, not how often they say it."""
    transition = consent_to_end(a_pause(), a_consent(), agreed=agreed, next_epoch=2, reason="")

    assert [event.kind for event in transition.events] == [EventKind.PAUSE_CONSENTED]


def test_an_ended_pause_cannot_be_ended_again():
    """T-KILL-10: a resume names the pause it ends; ending one twice would raise the epoch for nothing."""
    with pytest.raises(Settled) as refusal:
        consent_to_end(ended(2), a_consent(), agreed=frozenset(), next_epoch=3, reason="")

    assert (refusal.value.code, refusal.value.sentence) == ("pause_ended", "That pause has ended already.")


def test_a_duration_only_asks():
    """When the time is over the bot asks for the resume; the pause stays open."""
    asked = a_pause(ask_at=NOON, asked_at=NOON + TICK, revision=2)

    transition = ask_for_resume(a_pause(ask_at=NOON), now=NOON + TICK)

    assert transition == about(
        Pause,
        nouns=(asked,),
        events=(
            AuditEvent(
                kind=EventKind.PAUSE_RESUME_ASKED,
                stream="pause",
                actor="countersign",
                at=NOON + TICK,
                data={"pause": facts_of(asked)},
            ),
        ),
    )
    assert asked.is_open


def test_a_resume_takes_two():
    """The number is a promise, not a setting."""
    assert RESUMERS == 2


def test_a_fresh_pause_is_at_its_first_revision():
    """What was not said is not so: nothing asked, nothing ended, no channels."""
    pause = Pause(id="pause_1", scope=ALL, by=ADA, engaged_at=NOON, engaged_epoch=1, ask_at=None)

    assert (pause.asked_at, pause.ended_at, pause.ended_epoch, pause.revision, pause.channels) == (
        None,
        None,
        None,
        1,
        (),
    )
