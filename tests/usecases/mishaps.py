"""Stores with a mishap: something happens between a look and a lock, a row cannot be locked, or nothing can be written."""

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


class Unwritable:
    """A store whose transactions are refused, or the first *times* of them."""

    def __init__(self, store: Any, refusal: Exception, *, times: int | None = None) -> None:
        self._store = store
        self._refusal = refusal
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def writing(self, *lane: Any) -> Any:
        """Refuse to write, or write once there have been enough refusals."""
        if self.left == 0:
            return self._store.writing(*lane)
        if self.left is not None:
            self.left -= 1
        raise self._refusal


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


class Leaping:
    """A store in which the pause epoch is two further each time that it is raised, as if the gate had not been held."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def writing(self, *lane: Any) -> Iterator[Any]:
        """Write, and leap."""
        with self._store.writing(*lane) as uow:
            yield _LeapingUnit(uow)


class _LeapingUnit:
    def __init__(self, uow: Any) -> None:
        self._uow = uow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def raise_epoch(self) -> int:
        self._uow.raise_epoch()
        return int(self._uow.raise_epoch())


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
