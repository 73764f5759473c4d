"""Headcounts: has the people counted whom the policy asks, and tells an operator where they are too few."""

from collections.abc import Callable
from typing import Final

import structlog

from approvals.ports import Policies
from approvals.usecases.headcount import Shortage

log = structlog.get_logger(__name__)

AGAIN_AFTER_SECONDS: Final = 86_400.0
"""People leave without a word to us: once a day somebody looks."""


class Headcounts:
    """Counts at the first tick, whenever another policy is in force, and once a day."""

    def __init__(
        self,
        count: Callable[[], tuple[Shortage, ...]],
        *,
        policies: Policies,
        monotonic: Callable[[], float],
        show: Callable[[int], None],
    ) -> None:
        """Keep what to call.

        Args:
            count: Asks Slack, and returns the rules that are short of people.
            policies: Whose version tells that another one is in force.
            monotonic: Seconds that only count up.
            show: Is told how many those are.
        """
        self._count = count
        self._policies = policies
        self._monotonic = monotonic
        self._show = show
        self._counted: tuple[str, float] | None = None

    def __call__(self) -> None:
        """Count if it is time to."""
        version, now = self._policies.current().version, self._monotonic()
        if self._counted is not None and self._counted[0] == version and now - self._counted[1] < AGAIN_AFTER_SECONDS:
            return
        found = self._count()
        self._show(len(found))
        self._counted = (version, now)
        for one in found:
            log.warning("policy.short_of_people", rule=one.rule, agent=one.agent, sure=one.is_sure, why=one.sentence)
