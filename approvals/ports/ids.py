"""Ids: how a use case gets a fresh one."""

from typing import Protocol


class NewId(Protocol):
    """Makes ids."""

    def __call__(self, prefix: str, /) -> str:
        """Return a fresh id such as ``esc_01J...``: *prefix*, an underscore, and 26 characters that sort by time."""
        ...
