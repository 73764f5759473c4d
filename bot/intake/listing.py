"""Listing: one page of an agent's escalations, without those outside of the scope of the token that asks.

A page looks past so many of them and no more (I13): behind that it is short, and its cursor goes on.
"""

from approvals.ports import Page, Reading
from approvals.request import State
from approvals.tokens import Token


def page_for(token: Token, reading: Reading, *, state: State | None, limit: int, cursor: str | None) -> Page:
    """Return the newest before *cursor* that *token* may see, at most *limit* of them, and where to go on.

    Fewer than *limit* are no sign of the end: that is a page without a cursor.
    """
    return reading.requests_of(
        token.holder,
        state=None if state is None else state.value,
        limit=limit,
        cursor=cursor,
        environments=token.environments,
        namespaces=token.namespaces,
    )
