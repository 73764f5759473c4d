"""What several verbs share: whose authority must be asked for, the context to judge on, stopping."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from approvals.audit.events import Transition
from approvals.identity.names import Account, is_operator
from approvals.identity.people import Authority
from approvals.policy.charter import WhenTokenRevoked
from approvals.policy.eligibility import groups_of
from approvals.policy.feasibility import MOST_ASKED_ABOUT, SEEN_WITHIN, candidates
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling
from approvals.ports.directory import Directory
from approvals.ports.reading import Reading
from approvals.ports.store import UnitOfWork
from approvals.workflow.deciding import ruling_today
from approvals.workflow.execution import Execution
from approvals.workflow.request import Request
from approvals.workflow.votes import DecisionContext

NOBODY: Final = Authority(standings={}, groups={})
"""What is known of people where nobody has to be asked about."""


def slack_accounts(accounts: Iterable[Account]) -> frozenset[Account]:
    """Return those of *accounts* that the workspace can be asked about."""
    return frozenset(account for account in accounts if not is_operator(account))


def who_could_answer(directory: Directory, ruling: Ruling, *, at: datetime) -> Authority:
    """Return what is known of the people who may approve under *ruling*, by what Slack said within the last hour.

    So many of them at most are asked about as any quorum needs: a group of hundreds is not gone through for each question.
    """
    groups = directory.authority(accounts=(), groups=groups_of(ruling), at=at)
    named, _ = candidates(ruling, groups)
    some = sorted(slack_accounts(named))[:MOST_ASKED_ABOUT]
    people = directory.authority(accounts=some, groups=(), at=at, within=SEEN_WITHIN)
    return Authority(standings=people.standings, groups=groups.groups)


def context_for(
    uow: UnitOfWork, request: Request, *, policy: Policy, authority: Authority, execution: Execution | None
) -> DecisionContext:
    """Return everything a judgement on *request* rests on; its row's lock is held, so all of this is fresh."""
    grounds = uow.grounds(request.id)
    return DecisionContext(
        now=grounds.now,
        epoch=grounds.epoch,
        pauses=grounds.pauses,
        ruling=ruling_today(request, policy),
        authority=authority,
        votes=grounds.votes,
        execution=execution,
    )


def voters_of(reading: Reading, request_id: str) -> frozenset[Account]:
    """Return the accounts whose live votes stand on one request."""
    return frozenset(vote.account for vote in reading.votes(request_id))


def cancels_for_token(policy: Policy, agent: str) -> bool:
    """Tell whether a question of *agent* ends with the token it was asked with; *policy* may say to flag it instead.

    So does that of an agent that is not in the policy any more: nobody answers for it, so its questions are not kept open.
    """
    charters = [one.charters.get(agent) for one in policy.versions]
    return any(charter is None or charter.when_token_revoked is WhenTokenRevoked.CANCEL for charter in charters)


def save_stopping(uow: UnitOfWork, transition: Transition[object]) -> None:
    """Save *transition* and give back the targets of the executions that it ends.

    One that was armed and never sent goes back to queued or claimed: stopped there, it may still hold its target.
    """
    uow.save(transition)
    for noun in transition.nouns:
        if isinstance(noun, Execution) and noun.is_over:
            uow.release_target(noun)
