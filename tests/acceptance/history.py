"""A history: what work leaves in a database, made by the use cases over a pretended cluster, and sealed.

For stories about what is read afterwards: the command line and the verifiers. Nothing here is a door.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from approvals.errors import NotEligible
from approvals.identity.tokens import Token, TokenKind
from approvals.workflow.request import Answer, Request
from bot import clock
from bot.policies import read_policy
from models.audit.sealer import Sealer
from models.engine.database import open_database
from models.store.store import SqlStore
from tests.acceptance.place import Place
from tests.builders import ADA, BORIS, DINA, an_action, an_escalation
from tests.fakes.cluster import FakeCluster
from tests.world import FixedPolicies, World


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The ids that a story needs."""

    approved: str
    denied: str
    pending: str


def a_history(place: Place) -> History:
    """Let an agent ask three times: one is approved and carried out, one is denied with a reason, one still waits."""
    policy, text = read_policy(place.policy)
    database = open_database(place.database_url)
    try:
        store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
        cluster = FakeCluster.with_checkout(now=clock.utc_now)
        world = World(store=store, cluster=cluster, policies=FixedPolicies(policy), new_id=clock.new_id)
        world.adopt(policy, text, by="os:olga")
        made = _work(world)
        Sealer(database).seal()
        return made
    finally:
        database.close()


def _work(world: World) -> History:
    token = world.admit.create(
        clock.new_secret(),
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=("demo",),
        namespaces=(),
        good_for=timedelta(days=1),
        by="os:olga",
    )
    approved, denied, pending = (_asked(world, token, replicas) for replicas in (6, 7, 8))
    with pytest.raises(NotEligible):
        world.answers(approved, DINA)
    world.answers(approved, ADA)
    world.answers(denied, BORIS, Answer.DENY)
    world.execute()
    return History(approved=approved.id, denied=denied.id, pending=pending.id)


def _asked(world: World, token: Token, replicas: int) -> Request:
    # Each for an effect of its own: the same one would be the same question.
    asked = an_escalation(environment="demo", action=an_action(replicas=replicas), idempotency_key=f"for-{replicas}")
    return world.escalate(asked, token).request
