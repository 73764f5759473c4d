"""Court tests open no socket, not even on loopback: a rule that needs one is not a rule."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from pytest_socket import disable_socket, enable_socket

# A busy machine is no fault of a rule's, so no example is timed.
settings.register_profile("court", settings.default, deadline=None)
settings.load_profile("court")


@pytest.fixture(autouse=True)
def _no_socket() -> Iterator[None]:
    disable_socket(allow_unix_socket=False)
    yield
    enable_socket()
