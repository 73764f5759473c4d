"""A server in a process of its own, to be killed: ``python -m tests.bot.intake.serving sqlite:///FILE``; prints its port."""

import asyncio
import socket
import sys

from bot.clock import new_id
from bot.health.legs import Readiness
from bot.intake.deps import Deps
from bot.intake.server import Intake
from bot.observe.metrics import Metrics
from models.engine.database import open_database
from models.store.store import SqlStore
from tests.bot.intake.conftest import UNBOUNDED
from tests.bot.intake.support import a_policy_with_two_agents, small_pools
from tests.fixtures.stores import CountingSalts
from tests.world import FixedPolicies, HandClock, World


def main(url: str) -> None:
    """Serve the store at *url*, which has its policy and tokens already, until killed."""
    store = SqlStore(open_database(url), host_clock=HandClock(), new_salt=CountingSalts())
    world = World(store=store, policies=FixedPolicies(a_policy_with_two_agents()), new_id=new_id)
    deps = Deps(
        store=store,
        admit=world.admit,
        escalate=world.escalate,
        cancel=world.cancel,
        notice=world.notice,
        pools=small_pools(),
        metrics=Metrics(),
        readiness=lambda: Readiness(legs=()),
        rates=UNBOUNDED,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Intake(deps).server(host="127.0.0.1", port=port)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1])
