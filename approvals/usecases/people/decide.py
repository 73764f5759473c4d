"""Decide: one person's answer to one question. Every door that can answer calls this, and nothing else writes a decision.

Authority is fetched before any lock, stamped with the store's own instant, and judged inside. The row is locked first and
everything else is read in statements after it, so two answers at once are judged one after the other, each seeing the other.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.audit.events import AuditEvent, EventKind, Transition, request_stream
from approvals.change.plan import bound_of
from approvals.errors import Clash, Missing, Refused, Unavailable
from approvals.identity.names import Account, ExecutionId, is_operator
from approvals.identity.people import Authority
from approvals.policy.eligibility import groups_of
from approvals.ports.directory import Directory
from approvals.ports.ids import NewId
from approvals.ports.journey import Journey, Milestone
from approvals.ports.policies import Policies
from approvals.ports.rows import StoredPlan
from approvals.ports.store import Store, UnitOfWork, Urgency
from approvals.presentation.wording import storable
from approvals.usecases.standing import NOBODY, context_for, save_stopping, slack_accounts, voters_of
from approvals.workflow.deciding import ruling_today
from approvals.workflow.execution import Execution
from approvals.workflow.request import Answer, Request, State, Via
from approvals.workflow.starting import queued
from approvals.workflow.votes import Judged, VoteSubmission, judge

ROUNDS: Final = 3
"""How often an answer is judged anew because somebody else's came first, before whoever gave it is asked to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsAnswer:
    """What somebody answered, as a door understood it."""

    request: str
    account: Account
    """From the authenticated payload, never from a field that the sender can choose."""
    answer: Answer
    via: Via
    fingerprint: str | None
    """The short fingerprint that the button carried."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """The verb."""

    store: Store
    policies: Policies
    directory: Directory
    new_id: NewId
    journey: Journey

    def __call__(self, given: PersonsAnswer) -> Judged:
        """Return what the answer led to, committed.

        Raises:
            Missing: There is no such request.
            Refused: It does not count, and why; the refusal is written down.
            Unavailable: Whether it counts cannot be known just now; nothing has changed.
        """
        left = ROUNDS
        while True:
            left -= 1
            asked, authority, plan = self._ask(given)
            try:
                judged = self._judge(given, authority, plan)
            except (Clash, Unavailable) as error:
                if left == 0 or not self._moved_on(error, given, asked):
                    raise
                continue
            self.journey.reached(Milestone.VOTED, given.request)
            return judged

    def _ask(self, given: PersonsAnswer) -> tuple[frozenset[Account], Authority, StoredPlan | None]:
        """Return whose standing was asked for, what the workspace said, and the plan: before any lock is taken."""
        with self.store.glancing(lane_of(given.answer)) as reading:
            found = reading.question(given.request)
        if found is None or found.request.state is State.REFUSED:
            raise Missing("There is no such request.")
        if given.answer is Answer.DENY and is_operator(given.account):
            # That a no at the command line counts is not for Slack to say, so it must not hang on Slack.
            return frozenset(), NOBODY, found.plan
        voters = {vote.account for vote in found.votes} if given.answer is Answer.APPROVE else set()
        asked = slack_accounts({given.account} | voters)
        groups = groups_of(ruling_today(found.request, self.policies.current()))
        authority = self.directory.authority(accounts=asked, groups=groups, at=found.now, lane=lane_of(given.answer))
        return asked, authority, found.plan

    def _judge(self, given: PersonsAnswer, authority: Authority, plan: StoredPlan | None) -> Judged:
        with self.store.writing(lane_of(given.answer)) as uow:
            judged = self._judged_in(uow, given, authority, plan)
        if isinstance(judged, Refused):
            raise judged
        return judged

    def _judged_in(
        self, uow: UnitOfWork, given: PersonsAnswer, authority: Authority, plan: StoredPlan | None
    ) -> Judged | Refused:
        """Return what the answer leads to, saved; or its refusal, recorded: the transaction commits either way."""
        request = uow.lock_request(given.request)
        if request is None:
            raise Missing("There is no such request.")
        # An execution begins in the transaction that approves, under this very lock: what is pending has none.
        execution = None if request.state is State.PENDING else uow.execution_of(request.id)
        if execution is not None:
            execution = uow.lock_execution(execution.id)
        context = context_for(uow, request, policy=self.policies.current(), authority=authority, execution=execution)
        submission = VoteSubmission(
            id=self.new_id("vote"),
            account=given.account,
            answer=given.answer,
            via=given.via,
            fingerprint=given.fingerprint,
            reason=storable(given.reason),
        )
        try:
            judged = judge(request, submission, context)
        except Unavailable:
            raise
        except Refused as refusal:
            uow.record(_refusal_event(request, submission, refusal, context.now))
            return refusal
        save_stopping(uow, judged.transition)
        if judged.request.state is State.APPROVED and judged.counted:
            uow.save(self._queued(judged.request, plan, now=context.now))
        return judged

    def _queued(self, request: Request, plan: StoredPlan | None, *, now: datetime) -> Transition[Execution]:
        if plan is None or request.valid_until is None:
            raise Missing("The plan of this request is not stored.")
        bound = bound_of(plan.bound)
        return queued(
            execution_id=ExecutionId(self.new_id("exe")),
            escalation=request.id,
            place=request.place,
            cluster_uid=bound.cluster_uid,
            object_uid=bound.steps[0].uid,
            fingerprint=plan.fingerprint,
            valid_until=request.valid_until,
            now=now,
        )

    def _moved_on(self, error: Refused, given: PersonsAnswer, asked: frozenset[Account]) -> bool:
        """Tell whether judging anew can help: a row moved, or somebody voted whose standing was not asked for."""
        if isinstance(error, Unavailable):
            with self.store.reading(lane_of(given.answer)) as reading:
                return not slack_accounts(voters_of(reading, given.request)) <= asked
        return error.code == Clash.code


def lane_of(answer: Answer) -> Urgency:
    """Return how urgent an answer is: a denial stops something, and waits behind nobody's approvals or requests (I13)."""
    return Urgency.URGENT if answer is Answer.DENY else Urgency.NORMAL


def _refusal_event(request: Request, submission: VoteSubmission, refusal: Refused, now: datetime) -> AuditEvent:
    return AuditEvent(
        kind=EventKind.ANSWER_REFUSED,
        stream=request_stream(request.id),
        actor=submission.account,
        at=now,
        data={"answer": submission.answer.value, "via": submission.via.value, "code": refusal.code},
    )
