"""``python -m sandbox.cluster``: start a stand-in with the example seed, print its kubeconfig path, keep running."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from sandbox.cluster.shop import shop_seed
from sandbox.cluster.standin import StandIn


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.cluster", description=__doc__)
    parser.add_argument("--directory", type=Path, help="where the kubeconfig file goes (default: a temporary one)")
    given = parser.parse_args()
    # Blocked before there is a second thread, so that the signal waits for sigwait, whichever thread it reaches.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with (
        tempfile.TemporaryDirectory(prefix="countersign-cluster-") as temporary,
        StandIn(given.directory or Path(temporary), shop_seed()) as cluster,
    ):
        sys.stdout.write(f"{cluster.kubeconfig}\n")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
