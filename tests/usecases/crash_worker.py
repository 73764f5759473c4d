"""A process of the product that ends itself with a signal, as a crash would, at a named milestone.

``python -m tests.usecases.crash_worker URL KUBECONFIG CONTEXT ACT SUBJECT MILESTONE SIGNAL``. The act is ``ask`` with an
idempotency key, or ``approve`` or ``work`` with a request's id. It leaves with 0 where the milestone was never reached.
"""

import os
import signal
import sys
from dataclasses import dataclass
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


def main(arguments: list[str]) -> None:
    """Build the product and act."""
    url, kubeconfig, context, name, subject, milestone, how = arguments
    with product(url, Path(kubeconfig), context, EndsAt(milestone, signal.Signals[how])) as world:
        act(world, name, subject)


if __name__ == "__main__":
    main(sys.argv[1:])
