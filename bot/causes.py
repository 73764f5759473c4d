"""Causes: why a connection did not come about or broke, in words of ours that hold no text from outside.

A client library wraps what happened in exceptions of its own, three deep and each differently; what an operator needs is one
of a dozen facts, and each of them has another cure. Slack's door and the cluster's both ask here.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from approvals.errors import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there is no connection."""

    code: str
    words: str
    """Without a subject, such as ``nothing listens there``."""
    cure: str = ""
    """What to do."""


class Away(Unavailable):
    """Something outside does not answer; :attr:`cause` says why, as far as that can be told."""

    def __init__(self, subject: str, cause: Cause, *, code: str) -> None:
        """Make the sentence: *subject*, such as ``The cluster``, and the cause."""
        words = "" if cause is OTHER else f": {cause.words}"
        sentence, is_known = f"{subject} does not answer{words}.", cause is not OTHER
        detail = f"{sentence} {cause.cure}" if is_known else ""
        super().__init__(sentence, code=code, cause=cause.code if is_known else "", detail=detail)
        self.cause = cause


NAME_UNKNOWN: Final = Cause(
    code="dns", words="its name cannot be resolved (DNS)", cure="Check the name, and this machine's DNS."
)
REFUSED: Final = Cause(
    code="refused", words="nothing listens there (connection refused)", cure="See that it runs, and check the port."
)
TIMED_OUT: Final = Cause(
    code="timeout", words="it does not answer in time", cure="See that it runs, and that no firewall is in between."
)
RESET: Final = Cause(code="reset", words="it ends the connection", cure="See that it runs, and what is in between.")
NO_ROUTE: Final = Cause(
    code="no_route", words="there is no route to it", cure="Check the address, and this machine's network."
)
PROXY: Final = Cause(
    code="proxy",
    words="the proxy in between cannot be reached, or lets nothing through",
    cure="Check HTTPS_PROXY and NO_PROXY.",
)
NOT_TLS: Final = Cause(code="not_tls", words="it does not speak TLS there", cure="Check the scheme and the port.")
UNKNOWN_CA: Final = Cause(
    code="tls_unknown_ca",
    words="its certificate is signed by an authority that is not trusted here",
    cure="Name that authority's certificate (in a kubeconfig: certificate-authority), after checking that it is the right one.",
)
EXPIRED: Final = Cause(
    code="tls_expired",
    words="its certificate has expired, or a clock is wrong",
    cure="Have it renewed, or set the clock right.",
)
NOT_YET_VALID: Final = Cause(
    code="tls_not_yet_valid", words="its certificate is not valid yet, or a clock is wrong", cure="Set the clock right."
)
WRONG_NAME: Final = Cause(
    code="tls_wrong_name",
    words="its certificate is for another name",
    cure="Use a name that is in the certificate (in a kubeconfig also: tls-server-name).",
)
TLS: Final = Cause(
    code="tls",
    words="the TLS handshake fails",
    cure="See that it speaks TLS as this machine does, and what is in between.",
)
FILE_MISSING: Final = Cause(
    code="file_missing",
    words="a file with a certificate or key is missing or cannot be read",
    cure="See that the files that are named as certificates and keys are there, and that this user may read them.",
)
OTHER: Final = Cause(code="no_connection", words="no connection comes about")

_CERTIFICATES: Final = {
    9: NOT_YET_VALID,
    10: EXPIRED,
    18: UNKNOWN_CA,
    19: UNKNOWN_CA,
    20: UNKNOWN_CA,
    21: UNKNOWN_CA,
    62: WRONG_NAME,
    64: WRONG_NAME,
}
"""By OpenSSL's codes of what a certificate's check found (``X509_V_ERR_...``)."""

_ROUTES: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_MOST: Final = 20
"""Exceptions that are looked through; a chain is some five long."""


def cause_of(error: BaseException) -> Cause:
    """Return what *error*, or one that it was made of, says of a connection."""
    chain = tuple(_made_of(error))
    if any(type(one).__name__ in {"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"} for one in chain):
        return PROXY
    for one in chain:
        found = _cause(one)
        if found is not None:
            return found
    return OTHER


def _made_of(error: BaseException) -> Iterator[BaseException]:
    """Give *error* and what it was made of, innermost last; each once."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (
            one.__cause__,
            getattr(one, "reason", None),  # urllib's, and urllib3's after its tries
            getattr(one, "original_error", None),  # urllib3's about a proxy
            getattr(one, "os_error", None),  # aiohttp's
            getattr(one, "certificate_error", None),
            *one.args,
            one.__context__,
        )
        waiting += [each for each in inner if isinstance(each, BaseException)]


def _cause(error: BaseException) -> Cause | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATES.get(error.verify_code, TLS)
        case ssl.SSLError():
            return NOT_TLS if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"} else TLS
        case socket.gaierror():
            return NAME_UNKNOWN
        case ConnectionRefusedError():
            return REFUSED
        case TimeoutError():
            return TIMED_OUT
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            return RESET
        case FileNotFoundError() | PermissionError() | IsADirectoryError():
            return FILE_MISSING
        case OSError() if error.errno in _ROUTES:
            return NO_ROUTE
        case _:
            return _BY_NAME.get(type(error).__name__)


_BY_NAME: Final = {
    "ConnectTimeoutError": TIMED_OUT,
    "ReadTimeoutError": TIMED_OUT,
    "NameResolutionError": NAME_UNKNOWN,
    "RemoteDisconnected": RESET,
    "IncompleteRead": RESET,
    "ServerDisconnectedError": RESET,
}
"""Exceptions of libraries that are no built-in ones and wrap none."""
