"""Policy changes: a changed file is written down, then checked, then rules; and whether it is the one in force is said.

What another process has in force is :mod:`bot.agreement`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from approvals.policy.policy import Policy
from bot.agreement import Agreement
from bot.health.legs import LegKind, Legs
from bot.policies import PolicyFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanges:
    """What a service does when its policy's file, or the version in force, is another one."""

    policies: PolicyFile
    agreement: Agreement
    legs: Legs
    now: Callable[[], datetime]
    """The store's clock."""
    write_down: Callable[[Policy, str], object]
    """Puts a policy and its text on record; may fail, and then nothing else is done."""
    cover: Callable[[Policy], object]
    """Has everything checked that the policy needs."""
    reach: Callable[[Policy], object]
    """Takes on the clusters that it brings."""

    def reload(self) -> None:
        """Take a changed file on, where it holds; else keep the old one, which is logged."""
        if self.policies.reload(self._adopt):
            self.agreement.loaded(self.now())
            self.agreement.look()
        self.tell()

    def agree(self, lead: Callable[[], object]) -> None:
        """See which versions count; as the leader, put ours in force first, where it may be."""
        lead()
        self.agreement.look()
        self.tell()

    def tell(self) -> None:
        """Say whether the file is good, and in force."""
        mistake, differs = self.policies.mistake, self.agreement.differs
        if mistake is not None:
            self.legs.failing(LegKind.POLICY, code="policy_mistakes", why=" ".join(mistake.split()))
        elif differs is not None:
            self.legs.failing(LegKind.POLICY, code="another_version", why=differs)
        else:
            self.legs.good(LegKind.POLICY)

    def _adopt(self, policy: Policy, text: str) -> None:
        """Write a reloaded policy down before it rules. What it brings starts nothing before it was checked (I18)."""
        # First, because it may fail: the policy that is still in force then would have lost the checks that are its own.
        self.write_down(policy, text)
        self.cover(policy)
        self.reach(policy)
