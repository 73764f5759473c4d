"""Headcounts: has the people counted whom the policy asks, and tells an operator where they are too few."""

from collections.abc import Callable
from typing import Final

import structlog

from approvals.ports.policies import Policies
from approvals.usecases.people.headcount import Shortage
from bot.health.legs import LegKind, Legs

log = structlog.get_logger(__name__)

AGAIN_AFTER_SECONDS: Final = 86_400.0
"""People leave without a word to us: once a day somebody looks."""

DOUBTFUL_AFTER_SECONDS: Final = 600.0
"""Where Slack did not say enough, such as at a start without it, a day would be too long."""

TOO_FEW: Final = "too_few"
NOT_KNOWN: Final = "not_known"


class Headcounts:
    """Counts at the first tick, whenever another policy is in force, and once a day."""

    def __init__(
        self,
        count: Callable[[], tuple[Shortage, ...]],
        *,
        policies: Policies,
        monotonic: Callable[[], float],
        show: Callable[[int], None],
        legs: Legs,
    ) -> None:
        """Keep what to call.

        Args:
            count: Asks Slack, and returns the rules that are short of people.
            policies: Whose version tells that another one is in force.
            monotonic: Seconds that only count up.
            show: Is told how many those are.
            legs: Are told which.
        """
        self._count = count
        self._policies = policies
        self._monotonic = monotonic
        self._show = show
        self._legs = legs
        self._next: tuple[str, float] | None = None
        """Under which policy it was counted, and when it is to be counted again."""
        legs.unknown(LegKind.PEOPLE)

    def __call__(self) -> None:
        """Count if it is time to."""
        version, now = self._policies.current().version, self._monotonic()
        if self._next is not None and self._next[0] == version and now < self._next[1]:
            return
        found = self._count()
        self._show(len(found))
        self._tell(found)
        wait = AGAIN_AFTER_SECONDS if all(one.is_sure for one in found) else DOUBTFUL_AFTER_SECONDS
        self._next = (version, now + wait)
        for one in found:
            log.warning("policy.short_of_people", rule=one.rule, agent=one.agent, sure=one.is_sure, why=one.sentence)

    def _tell(self, found: tuple[Shortage, ...]) -> None:
        """Take down one leg for each rule that is short; a single good one where none is."""
        names = {f"{one.rule} for {one.asked}": one for one in found}
        for leg in self._legs.of(LegKind.PEOPLE):
            if leg.of not in names:
                self._legs.forget(LegKind.PEOPLE, leg.of)
        for name, one in names.items():
            if one.is_sure:
                self._legs.failing(LegKind.PEOPLE, name, code=TOO_FEW, why=one.sentence)
            else:
                self._legs.unknown(LegKind.PEOPLE, name, code=NOT_KNOWN, why=one.sentence)
        if not names:
            self._legs.good(LegKind.PEOPLE)
