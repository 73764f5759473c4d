"""The journal: every request that came in and what became of it. Never a token, and no body but that of a patch."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from sandbox.cluster.api import Answer, Request
from sandbox.cluster.identities import User
from sandbox.cluster.routes import Address

_MOST: Final = 10_000
"""How many requests are kept; older ones are forgotten, so that a demo that runs for weeks does not grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request."""

    number: int
    """From 1, in the order of arrival."""
    method: str
    path: str
    """Without the query."""
    user: str | None
    """The username; None where the credential was not taken."""
    dry_run: bool
    field_manager: str
    field_validation: str
    user_agent: str
    body: bytes
    """What a patch sent, byte for byte; empty for everything else."""
    status: int | None = None
    """What the API answered, whether or not the answer arrived; None where it never handled the request."""
    audit_id: str | None = None
    changed: bool = False
    """Whether it changed an object."""

    @property
    def is_mutating(self) -> bool:
        """Whether it was meant to change an object for good."""
        return self.method == "PATCH" and not self.dry_run

    @property
    def is_mint(self) -> bool:
        """Whether it asked for a token."""
        return self.method == "POST" and self.path.endswith("/token")


class Journal:
    """Keeps the newest entries; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_MOST)
        self._count = 0

    def arrived(self, request: Request, user: User | None) -> Entry:
        """Note a request before anything happens to it."""
        try:
            address = Address.of(request.target)
        except ValueError:
            address = Address(request.target.partition("?")[0], {})
        with self._lock:
            self._count += 1
            entry = Entry(
                number=self._count,
                method=request.method,
                path=address.path,
                user=None if user is None else user.name,
                dry_run="dryRun" in address.query,
                field_manager=address.one("fieldManager"),
                field_validation=address.one("fieldValidation"),
                user_agent=request.headers.get("user-agent", ""),
                body=request.body if request.method == "PATCH" else b"",
            )
            self._entries.append(entry)
            return entry

    def answered(self, entry: Entry, answer: Answer) -> None:
        """Note what became of a request."""
        done = replace(entry, status=answer.status, audit_id=answer.audit_id, changed=answer.changed)
        with self._lock:
            for index in range(len(self._entries) - 1, -1, -1):
                if self._entries[index].number == entry.number:
                    self._entries[index] = done
                    return

    def entries(self) -> tuple[Entry, ...]:
        """Return what is kept, oldest first."""
        with self._lock:
            return tuple(self._entries)
