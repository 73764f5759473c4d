"""Fence watch: sees every half minute that the admission policies, roles and bindings of each cluster stand as generated.

What is said at the start is watched afterwards. While a policy or a binding is missing, weakened or bound elsewhere, while an
account may do more than its list, or while none of that can be seen, nothing starts in that cluster, and in no other. What is
missing or differs stands on the leg ``fences`` with its cure; once it is put right, changes start by themselves.

The watch runs as checks do (:mod:`bot.checks.checking`), in threads of its own: neither a long first check nor a cluster that
does not
answer keeps it from the others.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from approvals.policy.policy import Policy
from bot.checks.checking import Cadence, Check
from bot.checks.environment_checks import FindIn, cluster_checks
from bot.cluster.client.sources import Source
from bot.health.clearances import FENCES
from bot.health.legs import LegKind

WATCHED: Final = Cadence(again_seconds=30.0, longest_wait_seconds=30.0, good_for=timedelta(seconds=120), at_once=32)
"""Ten calls a cluster and look. A look that hangs ends by its own times; after two minutes without one nothing starts."""


class FenceWatch:
    """Makes the checks by which the watch sees each cluster."""

    def __init__(self, *, standing: FindIn, sources: Callable[[Policy], dict[str, Source]]) -> None:
        """Keep whom to ask, and how it is told where an environment's cluster is."""
        self._standing = standing
        self._sources = sources

    def of(self, policy: Policy) -> tuple[Check, ...]:
        """Return one check for each cluster of *policy*."""
        return tuple(
            cluster_checks(
                policy,
                self._sources(policy),
                kind="fences of",
                holder=FENCES,
                part=LegKind.FENCES,
                find_in=self._standing,
            )
        )
