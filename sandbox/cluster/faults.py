"""Faults: what can go wrong between a client and an API server, one request at a time, on demand.

A fault is queued with the requests it is :class:`On`, meets the next one that matches, and is spent. *applied* says
whether the request takes effect first: the same lost reply means two very different things. Only Python can queue a
fault; nothing reachable over HTTP can. Carrying them out is :mod:`sandbox.cluster.server`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from sandbox.cluster import refusals
from sandbox.cluster.journal import Entry
from sandbox.cluster.refusals import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """Which requests: all that fit every pattern; ``*`` stands for anything."""

    method: str = "*"
    path: str = "*"
    user: str = "*"
    dry_run: bool | None = None
    """Only dry runs, only others, or (None) both."""

    def fits(self, entry: Entry) -> bool:
        """Tell whether a request is one of them."""
        return (
            fnmatchcase(entry.method, self.method)
            and fnmatchcase(entry.path, self.path)
            and fnmatchcase(entry.user or "", self.user)
            and self.dry_run in {None, entry.dry_run}
        )


ANYTHING: Final = On()
READ: Final = On(method="GET")
DRY_RUN: Final = On(method="PATCH", dry_run=True)
WRITE: Final = On(method="PATCH", dry_run=False)
MINT: Final = On(method="POST", path="*/token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The answer comes late: the request is handled late, or (*applied*) at once and only its reply is late."""

    seconds: float
    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The request stands still until it is released; whoever holds it may look around, or end the client, meanwhile."""

    applied: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    """Set once the request has come this far (with *applied*: has taken effect)."""
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let it go on."""
        self.released.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The connection is reset instead of an answer."""

    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The request takes effect, and the reply breaks off in the middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """The request takes effect, and a 200 comes back that is not JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A refusal comes back, whatever the API would have said; with *applied* the request took effect all the same."""

    refusal: Refused
    applied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanwhile:
    """Something happens in the last moment before the request is handled, such as somebody else's change."""

    action: Callable[[], object]


Fault = Delay | Hold | Reset | Cut | Garbage | Answered | Meanwhile

_STATUSES: Final = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "the request is forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: ("Conflict", "Operation cannot be fulfilled: the object has been modified"),
    410: ("Expired", "The resourceVersion for the provided list is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "apiserver is shutting down"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


def answered(status: int, *, retry_after: int | None = None, applied: bool = False) -> Answered:
    """Return the fault that answers with *status*, as a server puts it.

    Args:
        status: One of 401, 403, 404, 409, 410, 429, 500, 503, 504.
        retry_after: Seconds for a ``Retry-After`` header; none without it.
        applied: Whether the request takes effect all the same.
    """
    reason, message = _STATUSES[status]
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    details = None if retry_after is None else {**refusals.details("", ""), "retryAfterSeconds": retry_after}
    return Answered(refusal=Refused(status, reason, message, details, headers), applied=applied)


class Injected:
    """A queued fault: which requests it has met so far."""

    def __init__(self, fault: Fault, on: On, times: int) -> None:
        self.fault = fault
        self._on = on
        self._left = times
        self._met: list[Entry] = []
        self._news = threading.Condition()

    @property
    def met(self) -> tuple[Entry, ...]:
        """The requests it has met, as they arrived."""
        with self._news:
            return tuple(self._met)

    def wait(self, timeout: float = 10.0) -> Entry:
        """Return the first request that it meets.

        Raises:
            TimeoutError: None came within *timeout* seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: self._met, timeout):
                raise TimeoutError(f"no request met the fault within {timeout} s")
            return self._met[0]

    def takes(self, entry: Entry) -> bool:
        """Tell whether it meets *entry*; if so, it is spent once."""
        with self._news:
            if self._left == 0 or not self._on.fits(entry):
                return False
            self._left -= 1
            self._met.append(entry)
            self._news.notify_all()
            return True

    def withdraw(self) -> None:
        """Meet nothing from now on."""
        with self._news:
            self._left = 0


class Faults:
    """The queue of one stand-in; may be used from any thread."""

    def __init__(self) -> None:
        self._queue: list[Injected] = []

    def add(self, fault: Fault, *, on: On, times: int) -> Injected:
        """Queue *fault* for the next *times* requests that fit *on*."""
        injected = Injected(fault, on, times)
        self._queue.append(injected)
        return injected

    def clear(self) -> None:
        """Withdraw everything that is queued."""
        for injected in self._queue:
            injected.withdraw()

    def taken(self, entry: Entry) -> Fault | None:
        """Return the first queued fault that meets *entry*."""
        return next((injected.fault for injected in list(self._queue) if injected.takes(entry)), None)
