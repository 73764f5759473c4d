"""The command line: ``python3 -m sandbox.devcluster build | start | stop | status``.

Standard library only, so that ``make cluster`` works before anything is installed.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.devcluster import build, cache, cluster, recipe, status
from sandbox.devcluster.errors import DevclusterError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0 done, 1 not, 130 interrupted."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("devcluster: interrupted; nothing half-made was kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m sandbox.devcluster", description="A real Kubernetes control plane on loopback."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("build", help="compile the programs into the cache, once").set_defaults(run=_build)
    for name, run, summary in (
        ("start", _start, "start a fresh cluster and leave it running"),
        ("stop", _stop, "end it; what was in it is gone"),
        ("status", _status, "say which parts are up (exit status 0: all)"),
    ):
        command = commands.add_parser(name, help=summary)
        command.add_argument("--dir", type=Path, default=cache.persistent_directory(), help="default: %(default)s")
        command.set_defaults(run=run)
    return parser


def _build(_options: argparse.Namespace) -> int:
    # Told to end, it ends as when interrupted: the compiler with it, and nothing half-made kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    built = build.build(_say)
    _say(f"Kubernetes {recipe.VERSION} is built: {built.directory}")
    return 0


def _start(options: argparse.Namespace) -> int:
    found = cluster.find(options.dir)
    if found is None:
        _say("starting ...")
        found = cluster.start(options.dir, detached=True)
    elif found.state.build != build.programs().directory.name:
        _say("the running cluster is of an older build; stop and start it to change that")
    _say(f"Kubernetes {recipe.VERSION} is running at {found.server}")
    _say(f"  kubectl --kubeconfig {found.kubeconfig} --context {found.context} get nodes")
    return 0


def _stop(options: argparse.Namespace) -> int:
    was_running = cluster.stop(options.dir)
    _say("stopped" if was_running else f"no cluster is running in {options.dir}")
    return 0


def _status(options: argparse.Namespace) -> int:
    for line in status.lines(options.dir):
        _say(line)
    return 0 if status.is_up(options.dir) else 1


def _say(line: str) -> None:
    # Flushed: progress that arrives at the end is none, and in a log the output is not a terminal's.
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
