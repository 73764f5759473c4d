"""A connection that is lost in the middle of a trip ends the trip."""

import socket
from typing import Any

import psycopg
import pytest
from psycopg import pq

from models.engine import pipeline


class Lost:
    """A connection as the driver shows it when the server is gone: it says "nothing more" and never comes to an end."""

    status = pq.ConnStatus.BAD

    def __init__(self, descriptor):
        self.socket = descriptor

    def flush(self):
        """Nothing is left to send."""
        return 0

    def is_busy(self):
        """Nothing is awaited."""
        return 0

    def get_result(self):
        """Nothing more."""
        return


def test_a_lost_connection_ends_its_trip():
    """Whoever waits for it hears that it is lost; it is not asked for its next result for ever, with a processor to itself."""
    near, far = socket.socketpair()
    lost: Any = Lost(near.fileno())

    with near, far, pytest.raises(psycopg.OperationalError):
        pipeline._received(lost)
