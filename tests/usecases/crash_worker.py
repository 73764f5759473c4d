"""A process of the product that ends itself with a signal, as a crash would, at a named milestone.

Each is forked from a server that has done nothing but import this module, so that it starts at once and shares with the test
what a process of the product would: database and cluster.
"""

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from approvals.ports.journey import Milestone
from tests.usecases.product import product, work_to_the_end
from tests.world import World


@dataclass
class EndsAt:
    """Implements :class:`approvals.ports.journey.Journey`: this very process gets the signal when it comes to the milestone."""

    milestone: str
    signal: signal.Signals
    spent: bool = False

    def reached(self, milestone: Milestone, subject: str) -> None:
        """End or freeze the process, if this is the place; once."""
        if milestone.value == self.milestone and not self.spent:
            self.spent = True
            os.kill(os.getpid(), self.signal)


def act(world: World, name: str, subject: str) -> None:
    """Do what the process was started for."""
    match name:
        case "ask":
            world.asks(subject)
        case "approve":
            with world.store.reading() as reading:
                request = reading.request(subject)
            assert request is not None
            world.answers(request)
        case "work":
            work_to_the_end(world, subject)
        case _:
            raise SystemExit(f"unknown act: {name}")


def main(url: str, kubeconfig: str, context: str, name: str, subject: str, milestone: str, how: str) -> None:
    """Build the product and act."""
    with product(url, Path(kubeconfig), context, EndsAt(milestone, signal.Signals[how])) as world:
        act(world, name, subject)


def forked(*arguments: str) -> ForkServerProcess:
    """Return a process that does what :func:`main` does; it has begun.

    Args:
        arguments: The database's URL; kubeconfig and context of the cluster; the act, ``ask`` with an idempotency key, or
            ``approve`` or ``work`` with a request's id; the milestone, empty for none; the signal's name. The process
            leaves with 0 where the milestone was never reached.
    """
    fork_server = multiprocessing.get_context("forkserver")
    fork_server.set_forkserver_preload([__name__])
    process = fork_server.Process(target=main, args=arguments)
    process.start()
    return process
