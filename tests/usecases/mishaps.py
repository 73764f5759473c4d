"""Stores with a mishap: something happens between a look and a lock, or a row cannot be found once it is to be locked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any


class Between:
    """A store on which something happens, once, before its next transaction."""

    def __init__(self, store: Any, happens: Callable[[], object]) -> None:
        self._store = store
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def writing(self, *lane: Any) -> Any:
        """Let it happen, and write."""
        if self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return self._store.writing(*lane)


class Blind:
    """A store that cannot lock one row: it was there for the look before."""

    def __init__(self, store: Any, unseen: str) -> None:
        self._store = store
        self._unseen = unseen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def writing(self, *lane: Any) -> Iterator[Any]:
        """Write, without that row."""
        with self._store.writing(*lane) as uow:
            yield _BlindUnit(uow, self._unseen)


class Planless:
    """A store in which no question's plan can be found."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def glancing(self, *lane: Any) -> Iterator[Any]:
        """Look, without plans."""
        with self._store.glancing(*lane) as reading:
            yield _PlanlessReading(reading)


class _PlanlessReading:
    def __init__(self, reading: Any) -> None:
        self._reading = reading

    def question(self, request_id: str) -> Any:
        return replace(self._reading.question(request_id), plan=None)


class _BlindUnit:
    def __init__(self, uow: Any, unseen: str) -> None:
        self._uow = uow
        self._unseen = unseen

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._uow, name)
        if not name.startswith("lock_"):
            return found
        return lambda key=None, **how: None if key == self._unseen else found(*([] if key is None else [key]), **how)
