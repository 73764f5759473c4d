"""Plainly: what is promised of one request, said once more without the functions that it judges.

What the policy says, what really happened and in which order, and what follows from that: as simply as it can be put.
"""

from dataclasses import dataclass, field
from typing import Any

from approvals.identity.names import Account
from approvals.identity.people import People
from approvals.policy.policy import Policy
from approvals.workflow.execution import Phase
from approvals.workflow.request import Answer, Request, State
from approvals.workflow.votes import Vote
from tests.approvals.courtroom import BEFORE, Courtroom
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    GROUP,
    MINUTE,
    NOON,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    an_approver_set,
    an_asking,
)

DEADLINE = NOON + 15 * MINUTE
FAY = Account(ADA.replace("U0ADA", "U0FAY"))
LISTED = frozenset({ADA, BORIS, CHEN, DINA})
"""Whom the set names; Eli and Fay are in it by the group. Chen asked and Dina owns the agent, so neither counts."""
PEOPLE = [ADA, BORIS, CHEN, DINA, ELI, FAY]


@dataclass(frozen=True)
class Says:
    """What one version of the policy says, as plainly as the invariants need it."""

    quorum: int = 2
    listed: frozenset[Account] = LISTED
    by_group: bool = True
    denies: bool = False
    same_person: frozenset[Account] = frozenset()
    minutes: int = 15
    charter: frozenset[str] = frozenset({"scale", "restart"})

    def policy(self) -> Policy:
        """Return the policy."""
        rule = a_rule(asking=an_asking(quorum=self.quorum, valid_for=self.minutes * MINUTE))
        return a_policy(
            approver_sets={"platform": an_approver_set(accounts=self.listed, groups=[GROUP] if self.by_group else [])},
            rules=(rule, a_denial()) if self.denies else (rule,),
            people=People(names=dict.fromkeys(self.same_person, "one")),
            charters={"scaler": a_charter(verbs=self.charter)},
        )


AT_FIRST = Says()
LATER = [
    AT_FIRST,
    Says(quorum=1),
    Says(quorum=3),
    Says(listed=LISTED - {BORIS}),
    Says(by_group=False),
    Says(denies=True),
    Says(same_person=frozenset({ADA, ELI})),
    Says(same_person=frozenset({BORIS, FAY})),
    Says(minutes=1),
    Says(charter=frozenset({"restart"})),
]


@dataclass
class Log:
    """What really happened, in the order it did: an instant's place in it tells before from after, as no clock can."""

    steps: int = 0
    said: dict[str, int] = field(default_factory=dict)
    """For each vote, when it was given."""
    paused: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """For each covering pause, when it began and ended."""
    outcomes: list[State] = field(default_factory=list)
    told: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    """The nouns as the events tell them: the last word on each counts."""
    read: int = 0
    """How many events that rests on."""


@dataclass
class Plainly:
    """The truth about one courtroom, from what really happened in it."""

    room: Courtroom
    says: Says = AT_FIRST
    log: Log = field(default_factory=Log)

    @property
    def phase(self) -> Phase | None:
        """Where the execution stands, if there is one."""
        return None if self.room.execution is None else self.room.execution.state

    @property
    def is_paused(self) -> bool:
        """Whether a pause covers the request right now."""
        return any(end is None for _, end in self.log.paused.values())

    def counts(self, account: str) -> bool:
        """Tell whether *account*'s yes counts now: active, not in conflict, and asked by both versions of the policy."""
        asked = all(
            account in says.listed or (says.by_group and account in self.room.members) for says in (AT_FIRST, self.says)
        )
        return asked and account in self.room.active and account not in {CHEN, DINA}

    @property
    def voices(self) -> set[str]:
        """Return the accounts whose recorded yes stands: it counts now, and no pause has covered it since."""
        last_end = max((end for _, end in self.log.paused.values() if end is not None), default=0)
        return {
            vote.account
            for vote in self.room.of(Vote)
            if vote.answer is Answer.APPROVE
            and vote.voided_at is None
            and self.counts(vote.account)
            and self.log.said[vote.id] > last_end
        }

    def are_enough(self, voices: set[str]) -> bool:
        """Tell whether *voices* are as many different people as both versions ask for."""
        people = len(voices) - (len(voices & self.says.same_person) > 1)
        return people >= max(AT_FIRST.quorum, self.says.quorum)

    @property
    def is_allowed(self) -> bool:
        """Whether neither policy, charter nor a pause forbids it."""
        return not (self.says.denies or "scale" not in self.says.charter or self.is_paused)

    def makes_enough(self, account: str) -> bool:
        """Tell whether a yes of *account* approves the request just now."""
        pending = self.room.request.state is State.PENDING and self.room.now < DEADLINE
        return pending and self.is_allowed and self.counts(account) and self.are_enough(self.voices | {account})

    @property
    def is_authorised(self) -> bool:
        """I1: approved, in time, unchanged, by enough people whose word still counts, and nothing forbids it."""
        request: Request = self.room.request
        return (
            request.state is State.APPROVED
            and request.valid_until is not None
            and self.room.now < request.valid_until
            and self.room.thing.replicas == BEFORE
            and self.is_allowed
            and self.are_enough(self.voices)
        )
