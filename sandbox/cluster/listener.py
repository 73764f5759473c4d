"""The listener: a port on loopback that can also refuse, one thread for each connection.

It knows sockets and no HTTP; what happens on a connection is the caller's function.
"""

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from typing import Final

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 128
_JOIN_SECONDS: Final = 5.0


class Listener:
    """Accepts connections on a free port of 127.0.0.1, and nowhere else.

    Args:
        serve: Is called in a thread of its own with each connection, and may leave it open: it is closed afterwards.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._socket = _bound(0)
        self._address: tuple[str, int] = self._socket.getsockname()
        self._accepting: threading.Thread | None = None
        self._wake, self._woken = socket.socketpair()

    @property
    def port(self) -> int:
        """The port; it stays the same while connections are refused."""
        return self._address[1]

    def start(self) -> None:
        """Begin to accept."""
        self._socket.listen(_BACKLOG)
        self._accepting = threading.Thread(target=self._accept, name="stand-in-listener", daemon=True)
        self._accepting.start()

    def refuse(self) -> None:
        """Refuse connections from now on, and end those that are open."""
        self._stop_accepting()
        self._socket.close()
        # Bound and not listening: connections are refused, and nobody else gets the port.
        self._socket = _bound(self.port)
        self._end_connections()

    def resume(self) -> None:
        """Accept again, on the same port."""
        self.start()

    def stop(self) -> None:
        """End everything and return when all threads have ended, or were given time to."""
        self._stop_accepting()
        self._socket.close()
        threads = self._end_connections()
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        self._wake.close()
        self._woken.close()

    def _stop_accepting(self) -> None:
        if self._accepting is None:
            return
        self._wake.send(b"x")
        self._accepting.join()
        self._woken.recv(1)
        self._accepting = None

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _events in selector.select()}
                if self._woken in ready:
                    return
                # The client may be gone again by now.
                with contextlib.suppress(OSError):
                    self._begin(self._socket.accept()[0])

    def _begin(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve_one, args=(connection,), name="stand-in-connection", daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            self._serve(connection)
        except OSError:
            pass  # the client went away; there is nobody to tell
        finally:
            with self._lock:
                del self._open[connection]
            connection.close()

    def _end_connections(self) -> list[threading.Thread]:
        with self._lock:
            opened = dict(self._open)
            for connection in opened:
                # Wakes its thread, which closes it.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        return list(opened.values())


def reset_on_close(connection: socket.socket) -> None:
    """Make *connection* end with a reset, and whatever was not read or sent be lost, when it is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((_LOOPBACK, port))
    return bound
