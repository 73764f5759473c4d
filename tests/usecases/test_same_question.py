"""The same question asked again is the question that waits already: by a constraint, on either store (I13, I14, I16)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from approvals.change.action import ProposedAction
from approvals.errors import KeyReused, OutOfScope
from approvals.facts import facts_of
from approvals.identity.people import People
from approvals.identity.tokens import created
from approvals.workflow.request import Answer, BoundKey, State
from tests.builders import (
    BORIS,
    CHEN,
    ELI,
    HOUR,
    MINUTE,
    a_charter,
    a_policy,
    a_target,
    a_token,
    an_action,
    an_escalation,
)
from tests.usecases.looks import kinds, story

SIX = an_action()
RESTART = ProposedAction(verb="restart", target=a_target(), parameters={})


def asks(world, key, **changed):
    """Let the agent ask for six pods under *key*."""
    return world.asks(key, **{"action": SIX, **changed})


def test_five_keys_for_one_effect_are_one_question(world, instant):
    """Each new key is given the first question as it stands; deadline and texts do not move, and nobody is asked twice."""
    first = asks(world, "key-1").request
    instant.pass_by(MINUTE)

    others = [asks(world, f"key-{n}", body_hash=str(n)) for n in range(2, 6)]

    assert [(one.created, one.request) for one in others] == [(False, first)] * 4
    assert kinds(world, first) == ["request.opened"] + ["request.asked_again"] * 4
    bound = BoundKey(agent="scaler", key="key-2", escalation=first.id, body_hash="2", bound_at=instant())
    assert story(world, first)[1] == (
        "request.asked_again",
        "agent:scaler",
        {"key": facts_of(bound), "token_id": a_token().id},
    )


def test_a_restart_asked_again_later_is_the_same_restart(world, instant):
    """The instant that it writes is no part of its effect."""
    first = asks(world, "key-1", action=RESTART).request
    instant.pass_by(MINUTE)

    assert asks(world, "key-2", action=RESTART).request == first


def test_a_bound_key_stands_for_its_question_for_ever(world):
    """A repeat of it finds the question, decided or not; another body under it is a mistake; no key is bound twice."""
    first = asks(world, "key-1").request
    asks(world, "key-2")
    denied = world.answers(first, answer=Answer.DENY).request

    again = asks(world, "key-2")
    with pytest.raises(KeyReused):
        asks(world, "key-2", body_hash="another")

    assert (again.created, again.request) == (False, denied)
    assert kinds(world, first).count("request.asked_again") == 1


def test_what_is_decided_is_asked_anew_and_says_so(world, instant):
    """A question that has its outcome answers no other; the agent hears what became of its own."""
    first = asks(world, "key-1").request
    world.answers(first, answer=Answer.DENY)
    instant.pass_by(HOUR)

    again = asks(world, "key-2")

    assert (again.created, again.request.id == first.id) == (True, False)
    assert again.earlier == (world.request(first),)


def test_a_question_that_silence_has_denied_is_not_handed_out(world, instant):
    """At its deadline it is over, whether or not a sweep has come by: it expires here, and the effect is asked anew (I3)."""
    first = asks(world, "key-1").request
    instant.pass_by(first.deadline - instant())

    again = asks(world, "key-2")

    assert (again.created, world.request(first).state) == (True, State.EXPIRED)
    assert world.expire() == 0


def test_another_agents_or_persons_question_is_never_handed_out(make_world):
    """I16: the same effect for somebody else, or asked by another agent, is a question of its own; people hear of both."""
    policy = a_policy(charters={"scaler": a_charter(), "other": a_charter()})
    world = make_world(policy)
    with world.store.writing() as uow:
        uow.save(created(a_token(id="tok_other", hash="0" * 64, holder="other")))
    first = asks(world, "key-1")
    other = world.escalate(
        an_escalation(agent="other", action=SIX), a_token(id="tok_other", hash="0" * 64, holder="other")
    )
    nobody = asks(world, "key-2", on_behalf_of=None)

    assert [one.created for one in (first, other, nobody)] == [True] * 3
    assert (other.earlier, nobody.earlier) == ((), (first.request,))


def test_one_person_by_another_account_is_the_same_person(make_world):
    """Chen has two accounts by the policy: whichever of them the agent acts for, it is one question about one effect."""
    policy = a_policy(
        people=People(names={CHEN: "chen", ELI: "chen"}),
        charters={"scaler": a_charter(acts_for=frozenset({CHEN, ELI}))},
    )
    world = make_world(policy)
    first = asks(world, "key-1", on_behalf_of=CHEN)

    again = asks(world, "key-2", on_behalf_of=ELI)

    assert (again.created, again.request) == (False, first.request)


def test_a_token_is_given_what_is_within_its_own_scope_only(make_world):
    """I16: what another token asked stays out of sight of one that may not be used there, and its key stays free."""
    policy = a_policy()
    shared = replace(policy, environments={**policy.environments, "twin": policy.environments["prod-eu-1"]})
    everywhere = a_charter(namespaces={name: frozenset({"shop"}) for name in ("prod-eu-1", "twin")})
    world = make_world(replace(shared, charters={"scaler": everywhere}))
    narrow = a_token(id="tok_narrow", hash="0" * 64, environments=frozenset({"twin"}))
    with world.store.writing() as uow:
        uow.save(created(narrow))
    first = asks(world, "key-1").request

    with pytest.raises(OutOfScope):
        world.escalate(an_escalation(environment="twin", idempotency_key="key-2"), narrow)

    assert kinds(world, first) == ["request.opened"]


def test_however_many_ask_at_once_there_is_one_question(world):
    """By the constraint, not by a look: the insert that loses the race reads the winner."""
    workers = 6
    barrier = Barrier(workers)

    def ask(key):
        barrier.wait(10)
        return asks(world, key, on_behalf_of=None)

    for number in range(5):
        with ThreadPoolExecutor(workers) as pool:
            keys = [f"key-{number}-{worker // 2}" for worker in range(workers)]
            opened = list(pool.map(ask, keys))
        (question,) = {one.request.id for one in opened}
        assert [one.created for one in opened].count(True) == 1
        assert {asks(world, key, on_behalf_of=None).request.id for key in keys} == {question}
        assert kinds(world, opened[0].request).count("request.asked_again") == 2
        world.answers(opened[0].request, BORIS, Answer.DENY)


def test_a_successor_of_a_drift_is_the_question_that_waits_already(world):
    """What was approved drifts while the agent has asked for the same again: nobody is asked a third time."""
    approved = world.pending("key-1")
    world.answers(approved)
    waiting = asks(world, "key-2").request
    world.cluster.somebody_scales(4)
    world.execute()

    old = world.request(approved)

    assert (old.state, old.superseded_by) == (State.SUPERSEDED, waiting.id)
    assert world.request(waiting) == waiting
