"""Pause and resume: stop everything in a scope at once; go on only when two eligible people say so.

A pause takes the start gate exclusively, so each start lies wholly before it or does not happen. What is queued or claimed
in its scope is voided in the same transaction. Failing towards the safe side, a pause by somebody whom the policy lists
by id counts even while the workspace cannot be asked; a resume never does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial
from itertools import chain
from typing import Final

from approvals.audit.events import PAUSE_STREAM, AuditEvent, EventKind
from approvals.errors import Clash, Malformed, Missing, NotEligible, Refused, Settled, Unavailable
from approvals.identity.names import Account, Channel, is_operator
from approvals.identity.people import FRESH, REMEMBERED, ApproverSet, Authority, check_standing
from approvals.policy.eligibility import in_any
from approvals.policy.policy import Policy
from approvals.ports.directory import Directory
from approvals.ports.ids import NewId
from approvals.ports.policies import Policies
from approvals.ports.reading import Reading
from approvals.ports.store import Store, UnitOfWork, Urgency
from approvals.presentation.wording import storable
from approvals.usecases.aside import Aside
from approvals.usecases.standing import NOBODY, save_stopping, slack_accounts
from approvals.workflow.execution import Reason
from approvals.workflow.pause import (
    Consent,
    Pause,
    Scope,
    ScopeKind,
    ask_for_resume,
    consent_to_end,
    engage,
    engage_again,
)
from approvals.workflow.voiding import void

MOST_ASKED: Final = 100
"""How many resumes are asked for in one go."""

MOST_NAMED: Final = 10
"""How many names the answer to a misspelt one lists."""

NEAR: Final = 3
"""How many of them it offers as what may have been meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """A pause, and how many approved changes it stopped before they started."""

    pause: Pause
    voided: int
    already: bool = False
    """Whether it was in force before: the same person had stopped the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A pause after one more person agreed to end it; it is over when ``pause.is_open`` is false."""

    pause: Pause
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagePause:
    """The verb that stops."""

    store: Store
    policies: Policies
    directory: Directory
    new_id: NewId

    def __call__(self, scope: Scope, *, account: Account, duration: timedelta | None, reason: str) -> Engaged:
        """Return the pause, in force: the one that is open already where this account asks for the same once more (I14).

        Raises:
            Malformed: The scope names no agent, or no namespace of an environment, that the policy knows, and covers nothing
                that waits for an answer or is under way.
            NotEligible: The policy does not let *account* pause; the refusal is written down.
            Unavailable: Nothing is known of *account*, and the policy does not list it by id.
        """
        policy, reason = self.policies.current(), storable(reason)
        with self.store.reading(Urgency.URGENT) as reading:
            at = reading.now
            misnamed = _misnamed(policy, scope, reading)
        asked = [tuple(one.approver_sets[name] for name in one.may_pause) for one in policy.versions]
        authority = self._ask(account, chain.from_iterable(asked), at)
        try:
            for sets in asked:
                _check_may_pause(account, sets, authority, now=at)
        except NotEligible as refusal:
            _record_refusal(self.store, account, refusal, what="engage", at=at)
            raise
        if misnamed is not None:
            raise misnamed
        with self.store.writing(Urgency.URGENT) as uow:
            uow.lock_gate(exclusive=True)
            standing = _standing(uow, scope, account)
            now = uow.now
            ask_at = None if duration is None else now + duration
            if standing is not None:
                pause = _engaged_again(uow, standing, ask_at, reason)
            else:
                pause = Pause(
                    id=self.new_id("pause"),
                    scope=scope,
                    by=account,
                    engaged_at=now,
                    engaged_epoch=uow.raise_epoch(),
                    ask_at=ask_at,
                    channels=_channels(policy, scope),
                )
                uow.save(engage(pause, reason=reason))
            voided = _void_covered(uow, pause, now)
        return Engaged(pause=pause, voided=voided, already=standing is not None)

    def _ask(self, account: Account, sets: Iterable[ApproverSet], at: datetime) -> Authority:
        if is_operator(account):
            return NOBODY  # Who is at the command line may stop whatever Slack would say, so it must not hang on Slack.
        groups = frozenset(group for one in sets for group in one.groups)
        return self.directory.authority(accounts=slack_accounts({account}), groups=groups, at=at, lane=Urgency.URGENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The verb that lets things go on."""

    store: Store
    policies: Policies
    directory: Directory

    def __call__(self, pause_id: str, *, account: Account, reason: str) -> Resumed:
        """Return the pause after *account* agreed to end it: over, if somebody else's agreement still counts too.

        Raises:
            Missing: There is no such pause.
            Settled: It has ended already, or this person has agreed already.
            NotEligible: The policy does not let this person resume; the refusal is written down.
            Unavailable: Slack could not be asked just now.
            Clash: The pause epoch was raised beside the gate; nothing was changed.
        """
        policy, reason = self.policies.current(), storable(reason)
        if is_operator(account) and not all(one.people.knows(account) for one in policy.versions):
            refusal = NotEligible(
                "The policy's people: does not say who you are, so you cannot agree to a resume.", code="unmapped"
            )
            with self.store.reading() as reading:
                at = reading.now
            _record_refusal(self.store, account, refusal, what="resume", at=at)
            raise refusal
        with self.store.reading() as reading:
            if reading.pause(pause_id) is None:
                raise Missing("There is no such pause.")
            earlier = reading.consents(pause_id)
            at = reading.now
        accounts = {account, *(consent.account for consent in earlier)}
        groups = frozenset(group for version in policy.versions for one in _resumers(version) for group in one.groups)
        authority = self.directory.authority(accounts=_askable(policy, accounts), groups=groups, at=at)
        try:
            with self.store.writing(Urgency.URGENT) as uow:
                return self._agree(uow, pause_id, account, reason, policy=policy, authority=authority)
        except NotEligible as refusal:
            _record_refusal(self.store, account, refusal, what="resume", at=at)
            raise

    def _agree(
        self,
        uow: UnitOfWork,
        pause_id: str,
        account: Account,
        reason: str,
        *,
        policy: Policy,
        authority: Authority,
    ) -> Resumed:
        uow.lock_gate(exclusive=True)
        pause = uow.lock_pause(pause_id)
        if pause is None:
            raise Missing("There is no such pause.")
        now = uow.now
        _check_may_resume(account, policy, authority, now=now)
        consents = uow.consents(pause_id)
        people = policy.everybody
        person = people.person_of(account)
        if pause.is_open and person in {people.person_of(consent.account) for consent in consents}:
            raise Settled("You have agreed already; it takes one more person.", code="already_agreed")
        agreed = frozenset(
            people.person_of(consent.account)
            for consent in consents
            if _may_resume(consent.account, policy, authority, now=now)
        )
        consent = Consent(pause=pause_id, person=person, account=account, at=now)
        transition = consent_to_end(pause, consent, agreed=agreed, next_epoch=uow.epoch() + 1, reason=reason)
        after = transition.noun
        if not after.is_open and uow.raise_epoch() != after.ended_epoch:
            # The gate is held exclusively, so it cannot be. If it were, votes would be judged by an epoch that was never
            # in force, and those of before the end could count (I4): nothing is kept, and the pause goes on.
            raise Clash("Somebody raised the pause epoch meanwhile; try again.")
        uow.save(transition)
        return Resumed(pause=after, missing=1 if after.is_open else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskForResumes:
    """The verb that asks for the resume of every pause whose duration is over."""

    store: Store
    aside: Aside

    def __call__(self) -> int:
        """Return how many pauses were asked about just now."""
        with self.store.reading() as reading:
            now = reading.now
            aside = self.aside.waiting(now)
            due = [one for one in reading.resumes_due(limit=MOST_ASKED + len(aside)) if one not in aside]
        return sum(self.aside.deal_with(one, partial(self._ask, one), now=now) for one in due)

    def _ask(self, pause_id: str) -> None:
        with self.store.writing() as uow:
            pause = uow.lock_pause(pause_id)
            if pause is not None and _is_due(pause, uow.now):
                uow.save(ask_for_resume(pause, now=uow.now))


def _is_due(pause: Pause, now: datetime) -> bool:
    return pause.is_open and pause.asked_at is None and pause.ask_at is not None and pause.ask_at <= now


def _misnamed(policy: Policy, scope: Scope, reading: Reading) -> Malformed | None:
    """Return why *scope* cannot stop anything, or None: a misspelt pause would stop nothing and look like a stop.

    What the policy does not name any more can still be stopped where something is in play: a stop is not refused for a name.
    It is looked up before the gate is taken, so that nobody's slip keeps the starts of all others waiting.
    """
    if scope.kind is ScopeKind.ALL:
        return None
    known = frozenset(policy.charters) if scope.kind is ScopeKind.AGENT else _chartered(policy)
    if scope.name in known or reading.is_in_play(scope):
        return None
    near = get_close_matches(scope.name, sorted(known), n=NEAR)
    meant = f" Did you mean {' or '.join(f'{scope.kind}:{name}' for name in near)}?" if near else ""
    return Malformed(
        f"Nothing was paused: the policy names no such {scope.kind}, so what ran still runs. It names {_listed(known)}.{meant}",
        code="unknown_scope",
    )


def _chartered(policy: Policy) -> frozenset[str]:
    """Return every namespace for which an agent is chartered, as a scope names it: nothing can be asked about any other."""
    return frozenset(
        f"{environment}/{namespace}"
        for charter in policy.charters.values()
        for environment, namespaces in charter.namespaces.items()
        for namespace in namespaces
    )


def _listed(names: frozenset[str]) -> str:
    """Return *names* in words, as many as one answer bears."""
    told = sorted(names)[:MOST_NAMED]
    if len(names) > MOST_NAMED:
        return f"{', '.join(told)} and {len(names) - MOST_NAMED} more"
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:]))) or "none"


def _channels(policy: Policy, scope: Scope) -> tuple[Channel, ...]:
    """Return where the notice is shown: in the channel of every environment that the pause touches.

    Where the policy does not name what is stopped any more, that is everywhere: rather too loud than unseen.
    """
    names: Iterable[str] = policy.environments
    if scope.kind is ScopeKind.AGENT and scope.name in policy.charters:
        names = policy.charters[scope.name].namespaces
    elif scope.kind is ScopeKind.NAMESPACE:
        names = (scope.name.partition("/")[0],)
    touched = [policy.environments[name] for name in names if name in policy.environments]
    return tuple(sorted({environment.channel for environment in touched or policy.environments.values()}))


def _standing(uow: UnitOfWork, scope: Scope, account: Account) -> Pause | None:
    """Return, locked, the open pause of *scope* by *account* that nobody has agreed to end.

    A message may be delivered twice, and whoever gets no answer in time says it again: each further pause would take two more
    people to resume. Once somebody has agreed, though, to say it again is a new stop, and that agreement must not help to end it.
    """
    same = (one for one in uow.pauses() if (one.scope, one.by) == (scope, account) and not uow.consents(one.id))
    found = next(same, None)
    return None if found is None else uow.lock_pause(found.id)


def _engaged_again(uow: UnitOfWork, pause: Pause, ask_at: datetime | None, reason: str) -> Pause:
    known = uow.texts(pause.id).get("reason", "")
    transition = engage_again(pause, ask_at=ask_at, reason=reason, known_reason=known, now=uow.now)
    uow.save(transition)
    return transition.noun


def _void_covered(uow: UnitOfWork, pause: Pause, now: datetime) -> int:
    covered = uow.stoppable_executions(pause.scope)
    for execution in covered:
        save_stopping(uow, void(execution, Reason.PAUSED, now=now, actor=pause.by))
    return len(covered)


def _check_may_pause(account: Account, sets: tuple[ApproverSet, ...], authority: Authority, *, now: datetime) -> None:
    if is_operator(account):
        return
    listed = any(account in one.accounts for one in sets)
    try:
        check_standing(account, authority, now=now, within=REMEMBERED)
        allowed = in_any(sets, account, authority, now=now, within=REMEMBERED)
    except Unavailable:
        if not listed:
            raise
        return
    if not allowed:
        raise NotEligible("The policy does not let you pause.", code="may_not_pause")


def _resumers(policy: Policy) -> tuple[ApproverSet, ...]:
    return tuple(policy.approver_sets[name] for name in policy.may_resume)


def _check_may_resume(account: Account, policy: Policy, authority: Authority, *, now: datetime) -> None:
    """Return where every version in force lets *account* resume."""
    for version in policy.versions:
        _check_version_lets_resume(account, version, authority, now=now)


def _check_version_lets_resume(account: Account, policy: Policy, authority: Authority, *, now: datetime) -> None:
    signing = _slack_accounts_of(policy, account) if is_operator(account) else (account,)
    for one in signing:
        check_standing(one, authority, now=now, within=FRESH)
        if in_any(_resumers(policy), one, authority, now=now, within=FRESH):
            return
    raise NotEligible("The policy does not let you resume.", code="may_not_resume")


def _may_resume(account: Account, policy: Policy, authority: Authority, *, now: datetime) -> bool:
    try:
        _check_may_resume(account, policy, authority, now=now)
    except NotEligible:
        return False
    return True


def _slack_accounts_of(policy: Policy, account: Account) -> tuple[Account, ...]:
    """Return the Slack accounts of the person behind *account*: an operator may resume as the person the policy knows."""
    person = policy.people.person_of(account)
    return tuple(sorted(one for one, name in policy.people.names.items() if name == person and not is_operator(one)))


def _askable(policy: Policy, accounts: Iterable[Account]) -> frozenset[Account]:
    people = [*accounts]
    named = [_slack_accounts_of(one, account) for one in policy.versions for account in people]
    return slack_accounts([*people, *chain.from_iterable(named)])


def _record_refusal(store: Store, account: Account, refusal: Refused, *, what: str, at: datetime) -> None:
    event = AuditEvent(
        kind=EventKind.PAUSE_REFUSED,
        stream=PAUSE_STREAM,
        actor=account,
        at=at,
        data={"what": what, "code": refusal.code},
    )
    with store.writing() as uow:
        uow.record(replace(event, at=uow.now))
