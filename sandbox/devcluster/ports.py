"""Free loopback ports for the parts.

Between our choosing a port and the part's binding it, another process may take it. Nothing prevents
that, so the supervisor starts over with other ports when a part says so.
"""

import socket
from contextlib import ExitStack
from dataclasses import dataclass

#: The only address that anything of the cluster listens on.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One port for each listener."""

    etcd: int
    etcd_peer: int
    api_server: int
    controller_manager: int
    scheduler: int
    kwok: int


def choose() -> Ports:
    """Return distinct ports that were free a moment ago."""
    with ExitStack() as open_sockets:
        # All are held until all are chosen: a port given back at once may be handed out again.
        etcd, peer, api_server, controller_manager, scheduler, kwok = (
            _free_port(open_sockets) for _ in Ports.__dataclass_fields__
        )
    return Ports(
        etcd=etcd,
        etcd_peer=peer,
        api_server=api_server,
        controller_manager=controller_manager,
        scheduler=scheduler,
        kwok=kwok,
    )


def _free_port(open_sockets: ExitStack) -> int:
    listener = open_sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.bind((LOOPBACK, 0))
    port: int = listener.getsockname()[1]
    return port
