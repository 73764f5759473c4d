"""Asking: requests that change nothing of the target, and what their failures mean to the use cases.

Reads, dry runs and minting go through here: an answer that is not known is :class:`~approvals.errors.Unavailable`, one that
the server refused is :class:`Declined`, for the caller to give its meaning. The one write does not: a lost answer means
something else there (:mod:`bot.cluster.execution.executor`).
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from approvals.errors import Unavailable
from bot.causes import Away, cause_of
from bot.cluster.client.answers import HttpReply, describe
from bot.cluster.client.calls import Client, Lost, Unsent

_PAGE: Final = 500
_MOST_PAGES: Final = 200
"""Of 500 objects: more than any cluster has bindings."""


class Declined(Exception):
    """The API server understood and refused; :attr:`answer` has its status."""

    def __init__(self, answer: HttpReply) -> None:
        super().__init__(describe(answer))
        self.answer = answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def is_unauthorised(self) -> bool:
        """Whether the credential was not taken."""
        return self.answer.status == HTTPStatus.UNAUTHORIZED


def get(client: Client, path: Sequence[str]) -> dict[str, Any]:
    """Return the object at *path*, raw, as it is now (never from a cache of the server's).

    Raises:
        Declined: The server refused.
        Unavailable: The answer is not known.
    """
    return _good(client, "GET", path).object()


def items(client: Client, path: Sequence[str]) -> list[dict[str, Any]]:
    """Return all objects of the list at *path*, raw, read in pages of one state of it; raises as :func:`get`.

    A cluster's bindings may be many more than one reply should hold.
    """
    found: list[dict[str, Any]] = []
    query = {"limit": str(_PAGE)}
    for _ in range(_MOST_PAGES):
        page = _good(client, "GET", path, query=query).object()
        found += page.get("items") or []
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return found
        query["continue"] = more
    raise Unavailable("The cluster lists more than can be looked through.", code="cluster_unavailable")


def some(client: Client, path: Sequence[str], *, limit: int, **narrowed: str) -> list[dict[str, Any]]:
    """Return the first *limit* objects of the list at *path*, raw, of those that the selectors pick; raises as :func:`get`."""
    page = _good(client, "GET", path, query={"limit": str(limit), **narrowed}).object()
    return list(page.get("items") or [])


def post(client: Client, path: Sequence[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server made of *body*; raises as :func:`get`."""
    return _good(client, "POST", path, body=json.dumps(body).encode()).object()


def patch(
    client: Client, path: Sequence[str], body: bytes, *, content_type: str, query: Mapping[str, str]
) -> HttpReply:
    """Return the good answer to a patch in dry run; raises as :func:`get`."""
    return _good(client, "PATCH", path, body=body, content_type=content_type, query=query)


def _good(
    client: Client,
    method: str,
    path: Sequence[str],
    *,
    body: bytes | None = None,
    content_type: str = "application/json",
    query: Mapping[str, str] | None = None,
) -> HttpReply:
    try:
        answer = client.call(method, path, query=query, body=body, content_type=content_type)
    except (Unsent, Lost) as error:
        raise Away("The cluster", cause_of(error), code="cluster_unavailable") from error
    if answer.is_good:
        return answer
    if answer.is_refusal and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
        raise Declined(answer)
    raise Unavailable(f"The cluster cannot answer just now ({describe(answer)}).", code="cluster_unavailable")
