"""Court tests open no socket, not even on loopback: a rule that needs one is not a rule."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _no_socket() -> Iterator[None]:
    disable_socket(allow_unix_socket=False)
    yield
    enable_socket()
