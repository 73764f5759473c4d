"""Notice: take down what a monitor reports. It becomes a card that informs; there is no decision to take."""

from collections.abc import Iterable
from dataclasses import dataclass

from approvals.alert import Alert, AlertState, Report, first_seen, seen_again
from approvals.errors import Clash, OutOfScope, Unavailable
from approvals.ports import NewId, Policies, Store, UnitOfWork
from approvals.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """How many alerts of a delivery were new, and how many were repeats that changed nothing."""

    new: int
    changed: int
    folded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The verb."""

    store: Store
    policies: Policies
    new_id: NewId

    def __call__(self, reports: Iterable[Report], token: Token) -> Noticed:
        """Return what a delivery changed, committed before the sender is answered.

        Raises:
            OutOfScope: The policy does not know the token's environment any more.
            Unavailable: Two deliveries of the same alerts kept racing; the sender delivers again.
        """
        delivered = tuple(reports)
        (environment,) = token.environments
        if environment not in self.policies.current().environments:
            raise OutOfScope("The policy has no such environment any more.", code="unknown_environment")
        for _ in range(3):
            try:
                with self.store.writing() as uow:
                    outcomes = [self._one(uow, report, token) for report in delivered]
            except Clash:
                continue  # Another delivery of the same alert won; look again.
            return Noticed(
                new=outcomes.count("new"), changed=outcomes.count("changed"), folded=outcomes.count("folded")
            )
        raise Unavailable("Deliveries of the same alerts are racing; send it again.")

    def _one(self, uow: UnitOfWork, report: Report, token: Token) -> str:
        known = uow.alert(token.id, report.fingerprint, report.starts_at)
        if known is not None:
            transition = seen_again(known, report, now=uow.now)
            uow.save(transition)
            return "changed" if transition.nouns else "folded"
        (environment,) = token.environments
        alert = Alert(
            id=self.new_id("alert"),
            token=token.id,
            environment=environment,
            channel=self.policies.current().environments[environment].channel,
            fingerprint=report.fingerprint,
            starts_at=report.starts_at,
            state=report.state,
            revision=1,
            seen_at=uow.now,
            resolved_at=uow.now if report.state is AlertState.RESOLVED else None,
        )
        uow.save(first_seen(alert, report))
        return "new"
