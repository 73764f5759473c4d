"""Calls: the one place where a request to an API server is made, and what can come of it.

The client library brings configuration, TLS and connection pools; requests go straight to its pool, because its own
request method re-encodes a JSON body, and what was hashed must be what is sent. Retries and redirects are off, every call
has its times, every reply its largest size. No header is ever logged. Whoever calls gets an :class:`HttpReply`, or one of two
exceptions that differ in the only thing that matters for a write: whether anything can have arrived.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import HTTPError

from bot.cluster.client.answers import HttpReply, warnings_of

_LARGEST_REPLY: Final = 16 * 1024 * 1024
"""Bytes. An object is at most about 1.5 MB in etcd; the rest is room for a namespace's list of autoscalers."""

_CHUNK: Final = 64 * 1024


class Unsent(Exception):
    """Nothing of the request's body left this machine, so nothing can have taken effect."""


class TooLate(Unsent):
    """It was held back, because the moment had passed until which it might leave."""


class Lost(Exception):
    """The request may have arrived and its answer is not known: a timeout, a reset, a cut or unreadable reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long one call may take, in seconds."""

    connect: float = 3.0
    read: float = 10.0
    """The longest silence of the server."""
    whole: float = 15.0
    """After this long no more of a reply is waited for, so that one that trickles ends too."""

    @property
    def longest(self) -> float:
        """The longest that a call can take: the last silence may begin just before the end."""
        return self.whole + self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an API server is and how it proves itself."""

    host: str
    ca_file: str | None = None
    tls_server_name: str | None = None
    proxy: str | None = None


def can_be_token(text: str) -> bool:
    """Return whether *text* can go into the header as a token: something, and nothing but visible ASCII."""
    return bool(text) and all("!" <= one <= "~" for one in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody at an API server. The representation shows neither token nor key."""

    endpoint: Endpoint
    authorization: str | None = field(default=None, repr=False)
    """The value of the header of that name."""
    cert_file: str | None = field(default=None, repr=False)
    key_file: str | None = field(default=None, repr=False)


class Client:
    """One identity's line to its API server, closed after use; never shared between identities or threads."""

    def __init__(self, identity: Identity, *, user_agent: str, times: Times) -> None:
        """Open nothing yet: the first call connects."""
        self._identity = identity
        self._user_agent = user_agent
        self._times = times
        self._api = ApiClient(_configuration_of(identity))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()

    def call(
        self,
        method: str,
        path: Sequence[str],
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        leave_by: float = inf,
    ) -> HttpReply:
        """Send one request, once, and return what was answered, whatever its status.

        Args:
            method: ``GET``, ``POST`` or ``PATCH``.
            path: Its segments, not encoded.
            query: Parameters of the address.
            body: The exact bytes.
            content_type: What the body is.
            leave_by: The instant, as :func:`time.monotonic` tells it, until which the body may begin to leave.

        Raises:
            Unsent: Nothing of the body left.
            TooLate: So that is, because the instant had passed.
            Lost: It may have arrived; no answer that can be understood came back.
            ValueError: A segment of the path is none.
        """
        url = f"{self._identity.endpoint.host}/{_encoded(path)}{'?' + urlencode(query) if query else ''}"
        parcel = None if body is None else _Parcel(body, leave_by)
        until = monotonic() + self._times.whole
        _check_in_time(leave_by)
        try:
            response = self._send(method, url, parcel, content_type)
            try:
                data = _read(response, until)
            finally:
                response.close()
        except HTTPError as error:
            if parcel is not None and not parcel.opened:
                raise Unsent(type(error).__name__) from error
            raise Lost(type(error).__name__) from error
        return _answer(response, data)

    def _send(self, method: str, url: str, parcel: "_Parcel | None", content_type: str) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": self._user_agent}
        if self._identity.authorization is not None:
            headers["Authorization"] = self._identity.authorization
        if parcel is not None:
            headers |= {"Content-Type": content_type, "Content-Length": str(len(parcel.data))}
        times = self._times
        pool: urllib3.PoolManager = self._api.rest_client.pool_manager
        return pool.request(
            method,
            url,
            body=parcel,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(times.connect, times.whole), read=min(times.read, times.whole)),
            retries=False,
            redirect=False,  # a redirected request would carry the token to another server
            preload_content=False,
        )


class _Parcel:
    """A body that remembers whether it was opened: until then only headers left, and without its body no write is one.

    It is opened once there is a connection, which may have taken seconds: so it is held against the clock again.
    """

    def __init__(self, data: bytes, leave_by: float) -> None:
        self.data = data
        self.opened = False
        self._leave_by = leave_by

    def __iter__(self) -> Iterator[bytes]:
        _check_in_time(self._leave_by)
        self.opened = True
        yield self.data


def _check_in_time(leave_by: float) -> None:
    if monotonic() > leave_by:
        raise TooLate


def _encoded(path: Sequence[str]) -> str:
    """Return *path* joined, each segment encoded, so that none can reach outside its place."""
    for segment in path:
        if segment in {"", ".", ".."}:
            raise ValueError(f"{segment!r} is no segment of a path")
    return "/".join(quote(segment, safe="") for segment in path)


def _read(response: urllib3.BaseHTTPResponse, until: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK, decode_content=False):
        size += len(part)
        if size > _LARGEST_REPLY:
            raise Lost("the reply is too large")
        if monotonic() > until:
            raise Lost("the reply takes too long")
        parts.append(part)
    return b"".join(parts)


def _answer(response: urllib3.BaseHTTPResponse, data: bytes) -> HttpReply:
    return HttpReply(
        status=response.status,
        body=_object(data),
        audit_id=response.headers.get("Audit-Id"),
        warnings=warnings_of(response.headers.getlist("Warning")),
    )


def _object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that *data* is, or None where it is something else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _configuration_of(identity: Identity) -> Configuration:
    """Return a configuration of this identity's own; the library's process-wide default is never touched."""
    endpoint = identity.endpoint
    return Configuration(
        host=endpoint.host,
        ssl_ca_cert=endpoint.ca_file,
        tls_server_name=endpoint.tls_server_name,
        cert_file=identity.cert_file,
        key_file=identity.key_file,
        retries=False,
        proxy=endpoint.proxy or "",  # the empty text keeps the library from looking for one in the environment
        no_proxy="",
        connection_pool_maxsize=1,
    )
