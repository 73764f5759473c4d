"""Agreement: whether this process has the policy that is in force. Where it has another one, only what both allow is allowed.

The files of several processes do not change in the same second, and one may have been left behind. The leader alone says which
version is in force (:mod:`models.store.policy_in_force`). Every process compares, the leader too: one that began to lead with an
older file rules by the stricter of both, like the others, until all agree.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import RLock

import structlog

from approvals.policy.policy import Policy
from bot.policies import PolicyFile
from models.policy.file import load_policy
from models.policy.mistakes import PolicyMistakes
from models.store.policy_in_force import InForce, PolicyInForce

log = structlog.get_logger(__name__)


class Agreement:
    """One process's look at the row. Any thread may call it."""

    def __init__(self, row: PolicyInForce, policies: PolicyFile, *, loaded_at: datetime) -> None:
        """Keep where to look and what to compare.

        Args:
            row: Names the version in force.
            policies: The process's own file.
            loaded_at: When that was loaded, by the store's clock.
        """
        self._row = row
        self._policies = policies
        self._loaded_at = loaded_at
        self._other: Policy | None = None
        self._lock = RLock()

    @property
    def differs(self) -> str | None:
        """Why what this process has is not what is in force, and what follows; None where it is."""
        if self._other is None:
            return None
        ours = self._policies.current().version[:12]
        return (
            f"This process has policy {ours}, and {self._other.version[:12]} is in force: only what both allow is allowed."
            " Give every replica the same file."
        )

    def loaded(self, at: datetime) -> None:
        """Note that the file was loaded anew, *at* an instant of the store's clock."""
        self._loaded_at = at

    def look(self) -> None:
        """Compare, and have both versions rule where they differ."""
        with self._lock:
            found = self._row.look()
            ours = self._policies.current()
            if found is None or found.version == ours.version:
                self._stand_beside(None)
            elif self._other is None or self._other.version != found.version:
                self._stand_beside(_policy_of(found, ours))

    def lead(self, move: Callable[[str, datetime], bool]) -> None:
        """As the leader, put our own file in force if it was loaded later than what is in force was.

        Args:
            move: Moves the row under the lease, and tells whether it did.
        """
        with self._lock:
            version = self._policies.current().version
            if move(version, self._loaded_at):
                log.info("policy.in_force", version=version)

    def _stand_beside(self, other: Policy | None) -> None:
        self._other = other
        self._policies.stand_beside(other)


def _policy_of(found: InForce, ours: Policy) -> Policy:
    """Return the policy that a row names; where its text cannot be read by this release, one that allows nothing."""
    try:
        return load_policy(found.text.encode())
    except PolicyMistakes:
        log.exception("policy.unreadable", version=found.version)
        return replace(ours, version=found.version, rules=(), may_resume=(), beside=None)
