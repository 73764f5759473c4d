"""The policies in force."""

from typing import Protocol

from approvals.policy.policy import Policy


class Policies(Protocol):
    """Knows the policy in force."""

    def current(self) -> Policy:
        """Return it."""
        ...
