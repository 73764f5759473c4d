"""Listing: one page of an agent's escalations, without those outside of the scope of the token that asks.

A page looks past so many of them and no more (I13): behind that it is short, and its cursor goes on.
"""

from approvals.identity.tokens import Token
from approvals.ports.reading import Reading
from approvals.ports.rows import Page
from approvals.workflow.request import State


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
