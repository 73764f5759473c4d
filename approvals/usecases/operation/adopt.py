"""Adopt: write down which policy is in force from now on, with its whole text, so that a replay knows what was ruled by."""

from dataclasses import dataclass

from approvals.audit.events import POLICY_STREAM, AuditEvent, EventKind
from approvals.policy.policy import Policy
from approvals.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """The verb."""

    store: Store

    def __call__(self, policy: Policy, text: str, *, by: str) -> bool:
        """Return whether this version was never in force before; either way its coming into force is written down."""
        with self.store.writing() as uow:
            new = uow.keep_policy(policy, text)
            uow.record(
                AuditEvent(
                    kind=EventKind.POLICY_LOADED,
                    stream=POLICY_STREAM,
                    actor=by,
                    at=uow.now,
                    data={"version": policy.version, "new": new, "rules": [rule.name for rule in policy.rules]},
                )
            )
        return new
