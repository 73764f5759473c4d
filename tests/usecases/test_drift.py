"""Drift: what changed in what was reviewed voids an approval; the same wish is asked about again, as things are now (I9)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.change.plan import Change
from approvals.errors import Unavailable
from approvals.ports.journey import Milestone
from approvals.usecases.people.decide import PersonsAnswer
from approvals.verbs.verb import Effect
from approvals.workflow.execution import LEASE, Phase, Reason
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, State, Via
from tests.builders import (
    ADA,
    GROUP,
    OBJECT_UID,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    a_workload,
    an_action,
    an_approver_set,
    an_asking,
)
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import execution_of, held_targets, kinds, stands, tamper
from tests.usecases.mishaps import Blind

ATTACHMENT = {"evidence 1 title": "p99", "evidence 1 text": "4.1 s"}
DRIFTED = (Phase.VOIDED, Reason.DRIFT, "The target is not as it was approved any more.")


def approved(world, **changed):
    """Return the agent's question, approved."""
    return world.answers(world.pending(**changed)).request


def successor_of(world, request):
    """Return the request that followed by drift."""
    after = world.request(request)
    assert after.superseded_by is not None
    with world.store.reading() as reading:
        found = reading.request(after.superseded_by)
    assert found is not None
    return found


def test_t_toc_07_another_number_before_voids_and_asks_again(world):
    """T-TOC-07: the same patch means another change: it is void, and its successor shows people what it means now."""
    request = approved(world)
    world.cluster.somebody_scales(50)

    world.execute()

    after, successor = world.request(request), successor_of(world, request)
    with world.store.reading() as reading:
        votes, texts = reading.votes(successor.id), reading.texts(successor.id)
    assert stands(world, request) == DRIFTED
    assert (after.state, after.outcome_code, successor.supersedes) == (State.SUPERSEDED, "drift", request.id)
    assert (successor.state, successor.chain, successor.idempotency_key, votes) == (State.PENDING, 2, None, ())
    assert successor.fingerprint != request.fingerprint
    assert texts == {"rationale": "p99 is 4.1 s against an objective of 1 s", **ATTACHMENT}
    assert kinds(world, request)[-2:] == ["execution.voided", "request.superseded"]
    assert (world.cluster.sent, held_targets(world)) == ([], [])


def with_a_reason(request):
    """Return Ada's approval with a reason in her words."""
    return PersonsAnswer(
        request=request.id,
        account=ADA,
        answer=Answer.APPROVE,
        via=Via.SLACK,
        fingerprint=request.fingerprint[:12],
        reason="Go.",
    )


def test_a_voters_reason_is_not_handed_on_as_the_agents_words(world):
    """A successor carries the agent's request and nothing that a person wrote."""
    request = world.pending()
    world.decide(with_a_reason(request))
    world.cluster.somebody_scales(4)

    world.execute()

    with world.store.reading() as reading:
        assert set(reading.texts(successor_of(world, request).id)) == {"rationale", *ATTACHMENT}


def test_t_toc_02_another_object_of_the_same_name_is_another_target(world):
    """T-TOC-02: the Deployment was deleted and made again under its name: the approval was not for this one."""
    request = approved(world)
    again = a_workload()
    again["metadata"]["uid"] = OBJECT_UID[::-1]
    world.cluster.objects["Deployment", "shop", "checkout"] = again

    world.execute()

    assert (stands(world, request), world.cluster.sent) == (DRIFTED, [])
    assert successor_of(world, request).state is State.PENDING


@pytest.mark.parametrize("times", [1, 3])
def test_t_toc_01_churn_that_nobody_reviewed_stops_nothing(times, world):
    """T-TOC-01: status, labels and resource versions move all the time; only what was reviewed counts."""
    request = approved(world)
    for _ in range(times):
        world.cluster.churn()

    world.execute()

    assert execution_of(world, request).state is Phase.APPLIED


def test_at_most_three_follow_one_another(world, instant):
    """A target that never holds still is not asked about for ever: the third of a chain has no successor."""
    chain = [approved(world)]
    for number in (4, 5):
        world.cluster.somebody_scales(number)
        world.execute()
        chain.append(world.answers(successor_of(world, chain[-1])).request)
    world.cluster.somebody_scales(7)

    world.execute()

    ends = [world.request(one) for one in chain]
    assert [one.chain for one in ends] == [1, 2, 3]
    assert [one.state for one in ends] == [State.SUPERSEDED] * 3
    assert [one.superseded_by for one in ends] == [chain[1].id, chain[2].id, None]
    assert world.cluster.sent == []


def test_what_somebody_else_has_done_meanwhile_needs_no_successor(world):
    """The target has the wanted number already: nothing is sent, and nobody is asked."""
    request = approved(world)
    world.cluster.somebody_scales(6)

    world.execute()

    after = world.request(request)
    assert stands(world, request) == DRIFTED
    assert (after.state, after.superseded_by, world.cluster.sent) == (State.SUPERSEDED, None, [])


def test_a_drift_that_no_hash_can_hold_is_told_in_digits(world):
    """A number that could not be approved is drift as any other: it is told, and nobody is asked about it."""
    request = approved(world)
    world.cluster.somebody_scales(2**53)

    world.execute()

    after, execution = world.request(request), execution_of(world, request)
    assert (after.state, after.superseded_by, world.cluster.sent) == (State.SUPERSEDED, None, [])
    assert execution.drift == (Change(path="/spec/replicas", before=3, after="9007199254740992"),)


STRICTER = {
    "outside the charter": a_policy(charters={"scaler": replace(a_charter(), namespaces={})}),
    "denied": a_policy(rules=(a_rule(), a_denial(verbs=frozenset({"scale"})))),
}


@pytest.mark.parametrize("policy", STRICTER.values(), ids=STRICTER)
def test_what_the_agent_may_not_ask_any_more_has_no_successor(policy, world):
    """A successor passes intake again: the policy in force decides whether it may be asked at all (I10)."""
    request = approved(world)
    world.cluster.somebody_scales(4)
    world.policies.policy = policy

    world.execute()

    assert world.request(request).superseded_by is None
    assert world.cluster.sent == []


def test_a_pause_between_the_look_and_the_commit_refuses_the_successor(world):
    """The successor is judged again under the gate: a pause that came meanwhile refuses it, and both say so."""
    request = approved(world)
    world.cluster.somebody_scales(4)

    class Pauses:
        def reached(self, milestone, subject):
            if milestone is Milestone.PLANNED:
                elsewhere = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
                world.pause(elsewhere, account=ADA, duration=None, reason="")

    world.restarted(journey=Pauses()).execute()

    # The pause has voided the execution; what the worker knew is out of date, so it wrote nothing.
    assert stands(world, request)[:2] == (Phase.VOIDED, Reason.PAUSED)
    assert world.request(request).state is State.APPROVED
    assert world.cluster.sent == []


def test_a_successor_that_nobody_could_approve_is_refused(make_world):
    """T-DEC-11: where the group is empty by now, the successor is refused and not widened."""
    sets = {"platform": an_approver_set(accounts=(), groups=(GROUP,))}
    world = make_world(a_policy(approver_sets=sets))
    world.directory.groups[GROUP] = frozenset({ADA})
    request = approved(world)
    world.cluster.somebody_scales(4)
    world.directory.groups[GROUP] = frozenset()

    world.execute()

    successor = successor_of(world, request)
    assert (successor.state, successor.outcome_code) == (State.REFUSED, "no_eligible_approver")
    assert (successor.supersedes, successor.chain) == (request.id, 2)


def test_a_target_that_is_gone_voids(world):
    """What cannot be previewed any more is not sent."""
    request = approved(world)
    world.cluster.objects.clear()

    world.execute()

    assert stands(world, request) == (Phase.VOIDED, Reason.UNPLANNABLE, "There is no such target.")
    assert world.request(request).state is State.APPROVED


def test_a_cluster_that_does_not_answer_is_waited_for(world, instant):
    """Not being able to look is no drift: it is tried again while the approval lasts."""
    request = approved(world)
    world.cluster.down = True
    world.execute()
    waiting = stands(world, request)

    world.cluster.down = False
    instant.pass_by(timedelta(seconds=5))
    world.execute()

    assert waiting == (Phase.QUEUED, None, "The cluster does not answer.")
    assert execution_of(world, request).state is Phase.APPLIED


def test_a_restart_means_the_same_however_late_it_is_planned_again(world, instant):
    """The timestamp of a restart is fixed when it is asked for, so that planning it again gives the same bytes."""
    request = approved(world, action=an_action("restart"))
    instant.pass_by(timedelta(minutes=14))

    world.execute()

    assert execution_of(world, request).state is Phase.APPLIED
    (body,) = world.cluster.sent
    assert b"2100-01-01T12:00:00Z" in body


def test_t_toc_03_a_plan_that_was_edited_in_the_database_is_not_carried_out(world):
    """T-TOC-03: the stored bytes do not hash as what was approved: nothing is planned, minted or sent (I1)."""
    request = approved(world)
    with world.store.reading() as reading:
        good = reading.plan(request.fingerprint).bound
    tamper(world, "UPDATE plans SET bound = :bytes", bytes=good.replace(b"6", b"0"))

    world.execute()

    tampered = (Phase.VOIDED, Reason.TAMPERED, "The stored plan is not the one that was approved.")
    assert stands(world, request) == tampered
    assert (world.cluster.sent, world.cluster.minted) == ([], [])


TELLS_NOTHING = {
    Milestone.SENDING: (
        (Phase.UNKNOWN, None),
        "What was approved is not stored as it was approved, so nothing can be read back against it.",
    ),
    Milestone.OUTCOME: (
        (Phase.APPLIED, Effect.IN_PROGRESS),
        "How far it is cannot be told. Its plan is not stored as it was approved.",
    ),
}


@pytest.mark.parametrize("milestone", [Milestone.SENDING, Milestone.OUTCOME], ids=["being sent", "being followed"])
def test_t_toc_03_a_plan_that_was_edited_later_tells_nothing(milestone, world, instant):
    """T-TOC-03: what was sent is read back and followed by the plan that was approved, or not at all."""
    request = approved(world)
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(milestone)).execute()
    with world.store.reading() as reading:
        good = reading.plan(request.fingerprint).bound
    tamper(world, "UPDATE plans SET bound = :bytes", bytes=good.replace(b"6", b"0"))
    instant.pass_by(LEASE)

    world.execute()

    execution = execution_of(world, request)
    stands_still, sentence = TELLS_NOTHING[milestone]
    assert ((execution.state, execution.effect), execution.message) == (stands_still, sentence)
    assert len(world.cluster.sent) == (milestone is Milestone.OUTCOME)


def test_a_lookup_that_fails_while_a_successor_is_drafted_leaves_none(world):
    """A successor that cannot be planned now is not asked for: the agent may ask again."""
    request = approved(world)
    world.cluster.somebody_scales(4)
    preview = world.cluster.preview
    looks = iter([False, True])

    def fails_the_second_time(*wish, **asked):
        if next(looks):
            raise Unavailable("The cluster does not answer.")
        return preview(*wish, **asked)

    world.cluster.preview = fails_the_second_time

    world.execute()

    assert world.request(request).superseded_by is None


def test_rules_may_ask_more_of_a_successor(make_world):
    """A successor is ruled by the policy in force when it is opened (I10)."""
    world = make_world()
    request = approved(world)
    world.cluster.somebody_scales(4)
    world.policies.policy = a_policy(version="b" * 64, rules=(a_rule(asking=an_asking(quorum=2)),))
    world.adopt(world.policies.policy, "the new text", by="os:olga")

    world.execute()

    successor = successor_of(world, request)
    assert (successor.ruling.quorum, successor.ruling.policy) == (2, "b" * 64)


def test_drift_of_a_request_that_cannot_be_locked(world):
    """The execution is void all the same; what cannot be locked is followed by nothing."""
    request = approved(world)
    world.cluster.somebody_scales(4)

    replace(world, store=Blind(world.store, request.id)).execute()

    assert (stands(world, request), world.request(request).state) == (DRIFTED, State.APPROVED)
