"""What ``python3 -m sandbox.devcluster status`` tells: which parts are up."""

from collections.abc import Iterator
from pathlib import Path

from sandbox.devcluster.client import Client
from sandbox.devcluster.layout import Layout, Phase, State, is_running


def is_up(directory: Path) -> bool:
    """Say whether a cluster is ready in *directory* and each of its parts is healthy now."""
    layout = Layout(directory.absolute())
    state = layout.read_state()
    if state is None or state.phase is not Phase.READY or not is_running(state):
        return False
    client = Client.of(layout)
    return all(client.is_healthy(part.health) for part in state.parts.values())


def lines(directory: Path) -> Iterator[str]:
    """Yield the report, one line for the cluster and one for each part of a running one."""
    layout = Layout(directory.absolute())
    state = layout.read_state()
    yield f"cluster in {layout.directory}: {_headline(state)}"
    # While it starts, the record names no part, and there may be no key yet to ask with.
    if state is None or not state.parts or not is_running(state):
        return
    client = Client.of(layout)
    for name, part in state.parts.items():
        yield f"  {name:<24} pid {part.pid:<8} {'up' if client.is_healthy(part.health) else 'DOWN'}"


def _headline(state: State | None) -> str:
    if state is None:
        return "never started"
    if is_running(state):
        return f"{state.phase}, server {state.server}"
    if state.phase is Phase.FAILED:
        return f"failed: {state.reason}"
    return "not running"
