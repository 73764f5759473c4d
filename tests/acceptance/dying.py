"""``python -m tests.acceptance.dying MILESTONE``: the service, killed by ``SIGKILL`` when it first comes to that milestone."""

import os
import signal
import sys

import bot.observe.metrics
from approvals.ports.journey import Milestone
from bot.observe.metrics import Metrics
from bot.wiring.product import Product


def main(milestone: Milestone) -> int:
    """Serve until then."""

    class DyingMetrics(Metrics):
        """The service's own metrics, which are told of every milestone; this one is not survived."""

        def reached(self, reached: Milestone, subject: str) -> None:
            """Count it, or die."""
            if reached is milestone:
                os.kill(os.getpid(), signal.SIGKILL)
            super().reached(reached, subject)

    vars(bot.observe.metrics)["Metrics"] = DyingMetrics
    return Product().serve()


if __name__ == "__main__":
    sys.exit(main(Milestone[sys.argv[1]]))
