"""One request and its execution, walked through at random: what is promised holds after every step.

The rules are whatever people, agents, policies, workers, the network and the clock can do, in any order. The invariants rest
on :mod:`tests.approvals.plainly`, which says the promises a second time, not by the functions they judge.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from approvals.errors import Clash, Refused
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.endings import cancel, cancel_for_token, expire, flag_for_token
from approvals.workflow.execution import Execution, Phase, Reason
from approvals.workflow.following import followed
from approvals.workflow.landing import abandon
from approvals.workflow.pause import Consent, Pause, Scope, ScopeKind, ask_for_resume, consent_to_end, engage
from approvals.workflow.request import Answer, State
from approvals.workflow.starting import claim
from approvals.workflow.voiding import void
from approvals.workflow.votes import Vote, judge
from tests.approvals.courtroom import SECOND, WAIT, Courtroom, told_by
from tests.approvals.plainly import AT_FIRST, DEADLINE, LATER, PEOPLE, Plainly
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    a_submission,
)

DISTURBANCES = ["leaves", "group", "policy", "pauses", "cancels", "revokes", "scales", "moves by itself"]
OVER = {State.DENIED, State.EXPIRED, State.CANCELLED, State.SUPERSEDED}


class OneRequest(RuleBasedStateMachine):
    """People, agent, policy, pauses, workers, network and clock, each doing what it can."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Courtroom(AT_FIRST.policy(), PEOPLE)
        self.truth = Plainly(room=self.room)
        self.log = self.truth.log
        self.hands: dict[int, int] = {}
        self.leader = 1
        self.leads: dict[int, int] = {}
        """Under which leader each worker works: what it writes under an earlier one is fenced."""
        self.waits: dict[int, bool] = {}
        self.starts = 0

    @initialize(
        steps=st.sampled_from([0, 1, 2, 2, 3, 3, 4, 4, 4]),
        says=st.sampled_from([AT_FIRST] * 8 + LATER),
        interrupted=st.sampled_from([False, False, False, True]),
        place=st.integers(0, 5),
        what=st.sampled_from(DISTURBANCES),
        account=st.sampled_from(PEOPLE),
        then=st.sampled_from(LATER),
    )
    def it_has_come_so_far(self, steps, says, interrupted, place, what, account, then):
        """Walks begin anywhere on the straight way, some with one thing that came between, so that all of it is walked."""
        straight = [
            lambda: self.the_policy_changes(says),
            lambda: self._two_approve(interrupted=interrupted),
            lambda: self.a_worker_looks(1, 0),
            lambda: self.a_worker_goes_on(1),
            lambda: self.a_worker_goes_on(1),
        ]
        for at, step in enumerate(straight[: steps + 1]):
            if at == place:
                self.something_comes_between(what, account, then, "all", 1)
            if at < 2 or self.room.execution is not None:
                step()

    def _two_approve(self, *, interrupted: bool) -> None:
        self.somebody_answers(ADA, Answer.APPROVE, stale=False)
        if interrupted:
            self.somebody_pauses("all", asks=False)
            self.somebody_resumes(ADA, first=True)
            self.somebody_resumes(BORIS, first=True)
        self.somebody_answers(ELI, Answer.APPROVE, stale=False)

    @rule(
        what=st.sampled_from(DISTURBANCES),
        account=st.sampled_from(PEOPLE),
        says=st.sampled_from(LATER),
        scope=st.sampled_from(["all", "scaler", "other"]),
        sure=st.integers(0, 2),
    )
    def something_comes_between(self, what, account, says, scope, sure):
        """One rule for all that disturbs, so that the straight way is walked, too."""
        match what:
            case "leaves":
                self.room.active ^= {account}
            case "group":
                self.room.members ^= {account}
            case "policy":
                self.the_policy_changes(says)
            case "pauses":
                self.somebody_pauses(scope, asks=sure > 0)
            case "cancels" if sure == 0:
                self.the_agent_takes_it_back()
            case "revokes":
                self.the_token_is_revoked(flags=sure > 0)
            case "scales":
                self.room.thing.scaled(3 if sure else 5)
            case _:
                self.room.thing.version += 1

    # --------------------------------------------------------------------------------------------------------- people

    @rule(
        account=st.sampled_from(PEOPLE),
        answer=st.sampled_from([*[Answer.APPROVE] * 3, Answer.DENY]),
        stale=st.booleans(),
    )
    def somebody_answers(self, account, answer, stale):
        """Approve or deny, by the button of this version or of another one."""
        self.log.steps += 1
        number = f"vote_{self.log.steps}"
        short = "f" * 12 if stale else (self.room.request.fingerprint or "")[:12]
        before, enough = self.room.request, self.truth.makes_enough(account)
        try:
            judged = judge(before, a_submission(account, answer, id=number, fingerprint=short), self.room.context())
        except Refused:
            assert not (answer is Answer.APPROVE and enough and not stale), "an approval that was enough was refused"
            return
        assert not stale
        assert account not in {CHEN, DINA}
        assert account in self.room.active
        self.room.save(judged.transition)
        if any(isinstance(noun, Vote) and noun.id == number for noun in judged.transition.nouns):
            self.log.said[number] = self.log.steps
        if answer is Answer.DENY:
            assert self.room.request.state is State.DENIED
            return
        assert (self.room.request.state is State.APPROVED) == enough, "approved if and as soon as enough said yes"
        if enough:
            self.room.queue()

    def the_policy_changes(self, says):
        """Another version comes into force: stricter, laxer, or the first one again."""
        self.truth.says = says
        self.room.policy = says.policy()

    # --------------------------------------------------------------------------------------------------------- pauses

    def somebody_pauses(self, scope, asks):
        """Everything, this agent or another one; what it covers and has not been armed is stopped with it."""
        self.log.steps += 1
        room = self.room
        room.epoch += 1
        pause = Pause(
            id=f"pause_{room.epoch}",
            scope=Scope(kind=ScopeKind.ALL) if scope == "all" else Scope(kind=ScopeKind.AGENT, name=scope),
            by=ADA,
            engaged_at=room.now,
            engaged_epoch=room.epoch,
            ask_at=room.now if asks else None,
        )
        room.save(engage(pause, reason=""))
        if scope != "other":
            self.log.paused[pause.id] = (self.log.steps, None)
            self._stopped_by_a_pause()

    def _stopped_by_a_pause(self) -> None:
        execution = self.room.execution
        if execution is not None and execution.can_still_be_stopped:
            self.room.save(void(execution, Reason.PAUSED, now=self.room.now, actor=ADA))

    @precondition(lambda self: any(pause.is_open for pause in self.room.pauses))
    @rule(account=st.sampled_from([ADA, BORIS]), first=st.booleans())
    def somebody_resumes(self, account, first):
        """One more person agrees to end one pause; the second one ends it."""
        self.log.steps += 1
        room = self.room
        still_open = [pause for pause in room.pauses if pause.is_open]
        pause = still_open[0 if first else -1]
        given = [consent for consent in room.of(Consent) if consent.pause == pause.id]
        agreed = frozenset(consent.account for consent in given)
        if account in agreed:
            return
        consent = Consent(pause=pause.id, person=account, account=account, at=room.now)
        room.save(consent_to_end(pause, consent, agreed=agreed, next_epoch=room.epoch + 1, reason=""))
        if not room.nouns["pause", pause.id].is_open:
            room.epoch += 1
            if pause.id in self.log.paused:
                self.log.paused[pause.id] = (self.log.paused[pause.id][0], self.log.steps)

    @precondition(lambda self: any(one.is_open and one.ask_at and not one.asked_at for one in self.room.pauses))
    @rule()
    def a_duration_is_over(self):
        """The bot asks for the resume; nothing ends by that."""
        pause = next(one for one in self.room.pauses if one.is_open and one.ask_at and not one.asked_at)
        self.room.save(ask_for_resume(pause, now=self.room.now))
        assert self.room.nouns["pause", pause.id].is_open

    # ---------------------------------------------------------------------------------------------- time and the agent

    @rule(seconds=st.sampled_from([1, 4, 6, 59, 61, 240, 600]))
    def time_passes(self, seconds):
        """A moment, a lease, a good part of a deadline, the life of a token."""
        self.room.now += seconds * SECOND

    @rule()
    def the_sweep_comes(self):
        """What is overdue expires; nothing else does."""
        try:
            self.room.save(expire(self.room.request, now=self.room.now, seen=True))
        except Refused:
            assert not (self.room.request.state is State.PENDING and self.room.now >= DEADLINE)

    def the_agent_takes_it_back(self):
        """The agent cancels, if it still can."""
        try:
            self.room.save(cancel(self.room.request, self.room.context(), actor="agent:scaler"))
        except Refused:
            return

    def the_token_is_revoked(self, *, flags):
        """The sweep finds the question under a revoked token, and cancels or flags it, if it still can."""
        request, context = self.room.request, self.room.context()
        try:
            self.room.save(
                flag_for_token(request, context, revoked_at=self.room.now)
                if flags
                else cancel_for_token(request, context)
            )
        except Refused:
            return

    # -------------------------------------------------------------------------------------------------------- workers

    @precondition(lambda self: self.room.execution is not None)
    @rule(worker=st.sampled_from([1, 1, 2]), steps=st.integers(0, 3))
    def a_worker_looks(self, worker, steps):
        """Claim it, if that can be, and go on with it some steps."""
        self.a_worker_claims(worker)
        for _ in range(steps):
            self.a_worker_goes_on(worker)

    def a_worker_claims(self, worker):
        """Whoever comes first, or after the other one's lease."""
        execution = self._execution()
        try:
            self.room.save(claim(execution, now=self.room.now, leader=self.leader))
        except Clash:
            return
        is_free = execution.lease_until is None or execution.lease_until <= self.room.now
        assert is_free or (execution.state is Phase.CLAIMED and 0 < execution.leader < self.leader)
        self.leads[worker] = self.leader
        self.hands[worker] = self._execution().generation
        self.waits[worker] = False

    @rule()
    def another_leads(self):
        """Whoever led before stands still, or is gone; what it has sent is on its way."""
        self.leader += 1

    @precondition(lambda self: self.room.execution is not None)
    @rule(worker=st.sampled_from([1, 2]))
    def a_worker_goes_on(self, worker):
        """The next step of the one that holds it: start, send, or read back; nothing for one whose lease is gone."""
        execution = self._execution()
        if self.hands.get(worker) != execution.generation or self.waits.get(worker):
            return
        if self.leads[worker] != self.leader:
            return
        if execution.state is Phase.CLAIMED:
            authorised = self.truth.is_authorised
            self.room.start(execution)
            if self._execution().state is Phase.ARMED:
                assert authorised, "armed without a valid authorisation"
        elif execution.state is Phase.ARMED:
            self.waits[worker] = self._sends(execution)
        elif execution.state in {Phase.SENDING, Phase.UNKNOWN} and self.room.read_back(execution):
            self.waits[worker] = self._sends(self._execution())

    def _sends(self, execution: Execution) -> bool:
        went = self.room.send(execution)
        if went:
            self.starts += 1
            assert not self.truth.is_paused, "sent during a pause"
        return went

    @precondition(lambda self: any(self.waits.values()))
    @rule(came=st.sampled_from(["arrives", "arrives, reply lost", *["lost"] * 2, "rejected", "busy"]))
    def the_network_answers(self, came):
        """Applied or in conflict, lost before or after it landed, refused, or not taken on."""
        worker = next(worker for worker, waits in self.waits.items() if waits)
        self.waits[worker] = False
        if came == "lost":
            reply = "lost"  # It may yet arrive: it stays under way.
        elif came.startswith("arrives"):
            # The answer is that to the send it waits for: an older one, on its way still, has a connection of its own.
            reply = "applied" if self.room.arrives(-1) else "conflict"
            reply = "lost" if came.endswith("lost") else reply
        else:
            self.room.under_way.pop()
            reply = came
        execution = self._execution()
        if self.hands.get(worker) == execution.generation and execution.state is Phase.SENDING:
            self.room.answered(execution, reply)

    @precondition(lambda self: self.room.under_way)
    @rule()
    def a_lost_write_arrives_late(self):
        """What was thought lost reaches the server after all."""
        if not any(self.waits.values()):
            self.room.arrives()

    @precondition(lambda self: self.truth.phase is Phase.APPLIED)
    @rule(effect=st.sampled_from(Effect), sentence=st.sampled_from(["3 of 6.", "No progress."]))
    def somebody_looks_at_the_effect(self, effect, sentence):
        """The rollout goes on, ends well, or fails."""
        execution = self._execution()
        try:
            seen = followed(execution, Progress(effect=effect, sentence=sentence), now=self.room.now, look_again=WAIT)
        except Clash:
            assert execution.is_over
            return
        assert not execution.is_over
        if seen is not None:
            self.room.save(seen)

    @precondition(lambda self: self.truth.phase is Phase.UNKNOWN)
    @rule()
    def a_person_closes_it(self):
        """An operator gives up on an outcome that nothing can tell; what is still under way cannot land any more by then."""
        if not self.room.under_way:
            execution = self._execution()
            self.room.save(abandon(execution, self.room.attempt, now=self.room.now, actor="os:olga", reason=""))

    def _execution(self) -> Execution:
        assert self.room.execution is not None
        return self.room.execution

    # ------------------------------------------------------------------------------------------------------ invariants

    @invariant()
    def each_change_takes_effect_at_most_once(self):
        """I2: however often it was started, sent and lost, the object was changed once by it at most."""
        assert len(self.room.thing.landed) <= 1

    @invariant()
    def what_landed_was_started(self):
        """I1: nothing reached the object that was not on record as being sent."""
        assert len(self.room.thing.landed) <= self.starts
        if self.room.thing.landed:
            assert self.truth.phase in {Phase.SENDING, Phase.UNKNOWN, Phase.APPLIED, Phase.ABANDONED}

    @invariant()
    def there_is_one_outcome(self):
        """I3: an outcome stays, but that an approval may still be denied, taken back or drift before it starts."""
        state = self.room.request.state
        if not self.log.outcomes or self.log.outcomes[-1] is not state:
            self.log.outcomes.append(state)
        states = [one for one in self.log.outcomes if one is not State.PENDING]
        assert states in ([], [State.APPROVED], *([one] for one in OVER)) or (
            states[0] is State.APPROVED and len(states) == 2 and states[1] in OVER - {State.EXPIRED}
        )
        if state in {State.DENIED, State.CANCELLED, State.EXPIRED} and self.room.execution is not None:
            assert self.truth.phase is Phase.VOIDED

    @invariant()
    def nothing_is_decided_late(self):
        """I3: whatever people decided of an open question, they decided before its deadline; silence, not before."""
        for event in self.room.events:
            after: Any = event.data.get("request")
            if event.kind == "request.approved":
                assert event.at < DEADLINE
            elif event.kind == "request.expired":
                assert event.at >= DEADLINE
                assert after["decided_by"] == []

    @invariant()
    def nothing_waits_to_start_under_a_pause(self):
        """I4: what a pause covers and has not been armed is stopped with it."""
        if self.truth.is_paused:
            assert self.truth.phase is not Phase.QUEUED or self._execution().attempts

    @invariant()
    def only_live_votes_of_different_people_stand(self):
        """I7: no account has two live answers, and the requester's and the owner's never stand."""
        live = [vote.account for vote in self.room.of(Vote) if vote.voided_at is None]
        assert len(live) == len(set(live))
        assert not {CHEN, DINA} & set(live)

    @invariant()
    def the_ruling_is_never_laxer_than_the_first(self):
        """I10: whatever policy is in force, it takes two people at least, and fifteen minutes at most."""
        ruling, first = self.room.ruling(), self.room.request.ruling
        assert first is not None
        assert ruling.quorum >= first.quorum
        assert ruling.valid_for <= first.valid_for
        assert set(ruling.panels) >= set(first.panels)
        assert ruling.conflicted >= first.conflicted

    @invariant()
    def the_events_tell_everything(self):
        """I5: the last word of the events on each noun is that noun, and there are no others."""
        for event in self.room.events[self.log.read :]:
            self.log.told |= told_by(event)
        self.log.read = len(self.room.events)
        assert self.log.told == self.room.nouns


OneRequest.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestOneRequest = pytest.mark.slow(OneRequest.TestCase)
