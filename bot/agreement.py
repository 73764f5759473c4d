"""Agreement: whether every process has the policy that is in force. Until then only what all their versions allow is allowed.

The files of several processes do not change in the same second, and one may have been left behind. Each process says which
version it has, and the leader alone says which is in force (:mod:`models.store.policy_in_force`). Every process looks once a
second, and rules by its own version, the one in force and those of all others, the leader like the rest.
"""

from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Final, Protocol

import structlog

from approvals.errors import Unavailable
from approvals.policy.policy import Policy
from bot.policies import PolicyFile
from models.policy.file import load_policy
from models.policy.mistakes import PolicyMistakes
from models.store.policy_in_force import PolicyInForce, StoredVersion

log = structlog.get_logger(__name__)

LOOKS_A_WORD: Final = 5
"""After how many looks a process says again which version it has: every few seconds, as it looks once a second."""


MOST_REPLICAS: Final = 10
"""How many replicas there may be where it is not known how many there are: as many as Slack lets connect for one app."""


class Move(Protocol):
    """Moves the row under the lease."""

    def __call__(self, version: str, loaded_at: datetime, *, is_changed: bool) -> bool:
        """Put a version in force if it may be, and tell whether it came into force just now."""
        ...


class Agreement:
    """One process's look at the rows. Any thread may call it."""

    def __init__(self, rows: PolicyInForce, policies: PolicyFile, *, loaded_at: datetime) -> None:
        """Keep where to look and what to compare.

        Args:
            rows: Name the version in force, and that of each process.
            policies: The process's own file.
            loaded_at: When that was loaded, by the store's clock.
        """
        self._rows = rows
        self._policies = policies
        self._loaded_at = loaded_at
        self._is_changed = False
        self._process: str | None = None
        """As whom it says which version it has; None for a command, by which nobody else has to rule."""
        self._said: str | None = None
        self._looks = 0
        self._others: tuple[Policy, ...] = ()
        self._lock = RLock()
        self.replicas = MOST_REPLICAS
        """How many processes serve this database, this one included, as of the last look; as many as may be while not known."""

    @property
    def differs(self) -> str | None:
        """Which versions differ from this process's own, and what follows; None where all have the same."""
        if not self._others:
            return None
        ours = self._policies.current().version[:12]
        others = ", ".join(one.version[:12] for one in self._others)
        return (
            f"This process has policy {ours}; in force, or another replica's, is {others}: only what all allow is allowed."
            " Give every replica the same file."
        )

    def speak_as(self, process: str) -> None:
        """Say from now on, as *process*, which version this one has: it serves, so that others have to rule by that, too."""
        with self._lock:
            self._process = process

    def loaded(self, at: datetime) -> None:
        """Note that the file was changed and loaded anew, *at* an instant of the store's clock."""
        with self._lock:
            self._loaded_at, self._is_changed = at, True

    def look(self) -> None:
        """Say which version this process has, compare, and have all versions rule where they differ.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached; what ruled before goes on ruling.
        """
        with self._lock:
            try:
                self._look()
            except Unavailable:
                self.replicas = MOST_REPLICAS
                raise

    def lead(self, move: Move) -> None:
        """As the leader, put our own file in force if it may be: it was loaded later than what is in force was.

        Args:
            move: Moves the row under the lease, and tells whether it did.
        """
        with self._lock:
            version = self._policies.current().version
            if move(version, self._loaded_at, is_changed=self._is_changed):
                log.info("policy.in_force", version=version)

    def leave(self) -> None:
        """Say, at the end, that nobody has to rule by what this process had."""
        if self._process is not None:
            self._rows.leave(self._process)

    def _look(self) -> None:
        ours = self._policies.current()
        self._say(ours.version)
        known = {one.version: one for one in self._others}
        found = self._rows.others(ours.version)
        self._others = tuple(known.get(one.version) or _policy_of(one, ours) for one in found)
        self._policies.stand_beside(_chain(self._others))
        self.replicas = max(1, self._rows.living())

    def _say(self, version: str) -> None:
        if self._process is None:
            return
        if version != self._said or self._looks % LOOKS_A_WORD == 0:
            self._rows.say(self._process, version)
            self._said = version
        self._looks += 1


def _chain(others: tuple[Policy, ...]) -> Policy | None:
    """Return the first of *others* with the rest beside it; None where there is none."""
    chained: Policy | None = None
    for one in reversed(others):
        chained = replace(one, beside=chained)
    return chained


def _policy_of(found: StoredVersion, ours: Policy) -> Policy:
    """Return the policy of a stored version; where its text cannot be read by this release, one that allows nothing."""
    try:
        return load_policy(found.text.encode())
    except PolicyMistakes:
        log.exception("policy.unreadable", version=found.version)
        return replace(ours, version=found.version, rules=(), may_resume=(), beside=None)
