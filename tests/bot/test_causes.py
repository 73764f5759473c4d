"""Causes: a broken connection is told by what broke it, however deep a library has wrapped it; none of its text is repeated."""

import errno
import socket
import ssl
from urllib.error import URLError

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from bot import causes
from bot.causes import cause_of


def a_certificate_error(code):
    """Return what TLS raises where a certificate's check found *code*."""
    error = ssl.SSLCertVerificationError(1, "secret.example: certificate verify failed")
    error.verify_code = code
    return error


def a_tls_error(reason):
    """Return what TLS raises for another *reason*."""
    error = ssl.SSLError(1, "secret.example")
    error.reason = reason
    return error


CAUSES = {
    "dns": (socket.gaierror(-2, "secret.example"), causes.NAME_UNKNOWN),
    "refused": (ConnectionRefusedError(111, "secret.example"), causes.REFUSED),
    "timeout": (TimeoutError("secret.example"), causes.TIMED_OUT),
    "reset": (ConnectionResetError(104, "secret.example"), causes.RESET),
    "no route": (OSError(errno.EHOSTUNREACH, "secret.example"), causes.NO_ROUTE),
    "unknown authority": (a_certificate_error(19), causes.UNKNOWN_CA),
    "expired": (a_certificate_error(10), causes.EXPIRED),
    "not yet valid": (a_certificate_error(9), causes.NOT_YET_VALID),
    "wrong name": (a_certificate_error(62), causes.WRONG_NAME),
    "another certificate fault": (a_certificate_error(1), causes.TLS),
    "no TLS there": (a_tls_error("WRONG_VERSION_NUMBER"), causes.NOT_TLS),
    "another TLS fault": (a_tls_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), causes.TLS),
    "no such file": (FileNotFoundError(2, "secret.example"), causes.FILE_MISSING),
    "anything else": (ValueError("secret.example"), causes.OTHER),
}


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize(
    "wrap",
    [lambda error: error, URLError, lambda error: OSError("wrapped", URLError(error))],
    ids=["bare", "wrapped", "deeper"],
)
def test_each_cause_is_told_apart(name, wrap):
    """Bare, as the standard library wraps it, and deeper."""
    error, cause = CAUSES[name]

    assert cause_of(wrap(error)) == cause
    assert "secret" not in f"{cause.code} {cause.words}"


def test_a_proxy_is_told_before_what_it_says():
    """Behind a proxy a refused connection is the proxy's."""
    error = urllib3.exceptions.ProxyError("no way", ConnectionRefusedError())

    assert cause_of(error) == causes.PROXY


def test_chains_that_go_round_end():
    """An exception that was raised while it was handled itself is looked at once."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first

    assert cause_of(first) == causes.OTHER


@pytest.mark.parametrize(
    ("address", "cause"),
    [("http://127.0.0.1:9/", causes.REFUSED), ("https://127.0.0.1:9/", causes.REFUSED)],
)
def test_what_the_library_raises_is_understood(address, cause):
    """The real exceptions of the client that talks to clusters."""
    with pytest.raises(HTTPError) as raised:
        urllib3.PoolManager().request("GET", address, retries=False, timeout=1)

    assert cause_of(raised.value) == cause


def test_plain_http_where_tls_is_expected_is_told():
    """A server that answers in the clear."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(5)
        pool = urllib3.HTTPSConnectionPool("127.0.0.1", port, retries=False, timeout=2)
        from threading import Thread  # noqa: PLC0415

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(HTTPError) as raised:
            pool.request("GET", "/")
        thread.join()
        pool.close()

    assert cause_of(raised.value) == causes.NOT_TLS
