"""Listing: one page of an agent's escalations, without those outside of the scope of the token that asks.

They are left out here, not by the query, since an action lies in its row as one piece. So a page is filled by looking on past
them, up to a bound: behind it the page is short, and its cursor goes on.
"""

from typing import Final

from approvals.ports import Page, Reading
from approvals.request import Request, State
from approvals.tokens import Token

MOST_LISTED: Final = 200
"""On one page, and in one look."""

MOST_LOOKS: Final = 10
"""For one page: two thousand rows, some tens of milliseconds, however much of its agent's a narrow token may not see (I13)."""


def page_for(token: Token, reading: Reading, *, state: State | None, limit: int, cursor: str | None) -> Page:
    """Return the newest before *cursor* that *token* may see, at most *limit* of them, and where to go on.

    Fewer than *limit* are no sign of the end: that is a page without a cursor.
    """
    found: list[Request] = []
    look = limit
    for _ in range(MOST_LOOKS):
        page = reading.requests_of(
            token.holder, state=None if state is None else state.value, limit=look, cursor=cursor
        )
        found += [request for request in page.requests if token.covers(request.place)]
        cursor = page.next_cursor
        if cursor is None or len(found) >= limit:
            break
        look = MOST_LISTED
    if len(found) > limit or (len(found) == limit and cursor is not None):
        cursor = found[limit - 1].id
    return Page(requests=tuple(found[:limit]), next_cursor=cursor)
