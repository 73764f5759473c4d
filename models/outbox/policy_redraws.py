"""Redraws by policy: which waiting cards another policy makes out of date.

A card says how many approvals are missing, and of whom, by the ruling that decides now. When other versions count, the file's own
or those that stand beside it while not every process has the same, each waiting card on which that shows is drawn again. Each
keeps the versions under which it was last looked at; one that has none was drawn under the version that its request was opened
by. What the older ones said is read from their stored texts: a service that was down while the file changed, or changed back,
finds its cards as they were.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, update

from approvals.errors import Garbled
from approvals.policy.policy import Policy
from approvals.ports.policies import Policies
from approvals.workflow.deciding import Demands, demands_of, ruling_today
from approvals.workflow.request import Request
from models.engine.columns import NUMBER, TEXT
from models.policy.file import PolicyMistakes, load_policy
from models.store.reading import SqlReading
from models.store.store import SqlStore
from models.store.tables import cards, escalations

BATCH: Final = 100
"""How many cards are looked at in one transaction."""

BATCHES: Final = 10
"""How many transactions one sweep makes, as in :mod:`models.outbox.redraws`."""

_AND: Final = "+"
"""Parts the versions that counted together: no hash has it."""

_WAITING: Final[ColumnElement[bool]] = literal_column("cards.kind = 'request' AND NOT cards.closed")
_VERSION_SHOWN: Final = func.coalesce(cards.c.policy, escalations.c.policy)
OLDER: Final = (
    select(cards.c.subject, cards.c.channel, _VERSION_SHOWN.label("under"))
    .select_from(cards.join(escalations, escalations.c.id == cards.c.subject))
    .where(_WAITING, _VERSION_SHOWN.is_distinct_from(bindparam("version", type_=TEXT)))
    .order_by(cards.c.subject, cards.c.channel)
    .limit(bindparam("limit", type_=NUMBER))
)
_LOOKED_AT: Final = (
    update(cards)
    .where(
        cards.c.subject == bindparam("the_subject", type_=TEXT), cards.c.channel == bindparam("the_channel", type_=TEXT)
    )
    .values(policy=bindparam("the_version", type_=TEXT), wanted=cards.c.wanted + bindparam("the_redraws", type_=NUMBER))
)


class PolicyRedraws:
    """The sweep. It looks at the cards once for each set of versions that comes to count, and at the start."""

    def __init__(
        self,
        store: SqlStore,
        policies: Policies,
        *,
        load: Callable[[bytes], Policy] = load_policy,
        batches: int = BATCHES,
    ) -> None:
        """Keep the store whose cards these are, and who knows the policy in force.

        Args:
            store: Whose cards these are.
            policies: Knows the policy in force.
            load: Reads a stored version.
            batches: How many transactions one sweep makes at most.
        """
        self._store = store
        self._policies = policies
        self._load = load
        self._batches = batches
        self._done: str | None = None

    def __call__(self) -> int:
        """Have waiting cards drawn again that another policy made out of date, and return how many those are.

        Where more wait than one sweep looks at, the next one goes on with the rest.
        """
        policy = self._policies.current()
        versions_now = _named(policy)
        if versions_now == self._done:
            return 0
        versions: dict[str, Policy | None] = {}
        redrawn = 0
        for _ in range(self._batches):
            found = self._batch(policy, versions)
            if found is None:
                self._done = versions_now
                break
            redrawn += found
        return redrawn

    def _batch(self, policy: Policy, versions: dict[str, Policy | None]) -> int | None:
        """Return how many of some cards are to be drawn again; None where no card is left to be looked at."""
        with self._store.reading() as reading:
            older = reading.connection.execute(OLDER, {"version": _named(policy), "limit": BATCH}).all()
            looked_at = [self._looked_at(reading, card, policy, versions) for card in older]
        if not looked_at:
            return None
        with self._store.writing() as uow:
            for values in looked_at:
                uow.connection.execute(_LOOKED_AT, values)
        return sum(int(values["the_redraws"]) for values in looked_at)

    def _looked_at(
        self, reading: SqlReading, card: Any, policy: Policy, versions: dict[str, Policy | None]
    ) -> dict[str, Any]:
        if card.under not in versions:
            versions[card.under] = self._stored(reading, card.under)
        before = versions[card.under]
        try:
            request = reading.request(card.subject)
            is_stale = request is not None and _shown(request, before) != _shown(request, policy)
        except Garbled:
            is_stale = True  # Whoever draws it sees that it cannot be drawn; here it must not keep the others waiting.
        return {
            "the_subject": card.subject,
            "the_channel": card.channel,
            "the_version": _named(policy),
            "the_redraws": int(is_stale),
        }

    def _stored(self, reading: SqlReading, names: str) -> Policy | None:
        """Return versions that counted together once; None where one's text cannot be read any more, as after an upgrade."""
        together: Policy | None = None
        for version in names.split(_AND):
            text = reading.policy_text(version)
            try:
                stored = None if text is None else self._load(text.encode())
            except PolicyMistakes:
                return None
            if stored is None:
                return None
            together = replace(stored, beside=together)
        return together


def _named(policy: Policy) -> str:
    """Return how the versions that count are kept with a card: in one order, whichever of them is the file's own."""
    return _AND.join(sorted(one.version for one in policy.versions))


def _shown(request: Request, policy: Policy | None) -> Demands | None:
    """Return what the card of *request* shows under *policy*; None where that is not known, so that it is drawn again."""
    if policy is None or request.ruling is None:
        return None
    return demands_of(ruling_today(request, policy))
