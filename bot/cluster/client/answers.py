"""Answers: what an API server said, and what of it may be shown.

An error's text can carry a whole pod specification, so it never leaves this module: sentences are made from the status, the
reason's code and the paths of the fields, all of them checked for shape. Warnings are shown as text from outside, bounded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from approvals.masking import masked
from approvals.presentation.visible import visible_line

_SUCCESS: Final = 2
_CLIENT_ERROR: Final = 4
"""The first digits of statuses."""

_REASON: Final = re.compile(r"[A-Za-z]{1,40}")
_FIELD: Final = re.compile(r"[A-Za-z0-9_.\[\]/-]{1,120}")
_MOST_FIELDS: Final = 5

_WARNING: Final = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
_MOST_WARNINGS: Final = 8
_LONGEST_WARNING: Final = 200

_ADMISSION: Final = re.compile(r"\badmission (webhook|plugin|controller)\b|AdmissionPolicy|exceeded quota")
_FENCE: Final = re.compile(r"ValidatingAdmissionPolicy '([a-z0-9.-]{1,253})'")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """One HTTP answer. *body* is its JSON object, or None where it is none."""

    status: int
    body: dict[str, Any] | None
    audit_id: str | None = None
    """The id under which the server's own audit log has the call."""
    warnings: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it is a success that can be read."""
        return self.status // 100 == _SUCCESS and self.body is not None

    @property
    def is_refusal(self) -> bool:
        """Whether the API server itself certainly did not do it: a 4xx in its own form, and not, say, a proxy's page.

        A 429 counts however it looks: the server's own overload answer is plain text, and is given before anything is done.
        """
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        return self.status // 100 == _CLIENT_ERROR and self.body is not None and self.body.get("kind") == "Status"

    @property
    def reason(self) -> str:
        """The server's code for why, such as ``Conflict``; empty where it gives none."""
        reason = (self.body or {}).get("reason")
        return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""

    @property
    def fenced_by(self) -> str | None:
        """The name of the admission policy that refused it, if one did."""
        message = (self.body or {}).get("message")
        found = _FENCE.search(message) if isinstance(message, str) else None
        return found[1] if found else None

    @property
    def is_by_admission(self) -> bool:
        """Whether admission refused the change, and not the lack of a right: a policy, or a webhook."""
        message = (self.body or {}).get("message")
        return isinstance(message, str) and _ADMISSION.search(message) is not None

    def object(self) -> dict[str, Any]:
        """Return the body of a good answer.

        Raises:
            ValueError: There is none.
        """
        if self.body is None:
            raise ValueError("the answer has no body")
        return self.body


def describe(answer: HttpReply) -> str:
    """Return an answer's status in words that hold no text of the server's, such as ``422 Invalid, at spec.replicas``.

    The name of the admission policy that refused is said too: it is a name, and tells an operator where to look.
    """
    words = f"{answer.status} {answer.reason}".strip()
    fence = "" if answer.fenced_by is None else f", by the admission policy {answer.fenced_by}"
    fields = _fields_of(answer.body or {})
    # A path's last part may be the key of a label or annotation, which somebody else has chosen.
    return f"{words}{fence}, at {masked(', '.join(fields))}" if fields else f"{words}{fence}"


def _fields_of(status: Mapping[str, Any]) -> tuple[str, ...]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    fields = (cause.get("field") for cause in causes or () if isinstance(cause, dict))
    shown = dict.fromkeys(one for one in fields if isinstance(one, str) and _FIELD.fullmatch(one))
    return tuple(shown)[:_MOST_FIELDS]


def warnings_of(headers: Iterable[str]) -> tuple[str, ...]:
    """Return the texts of ``Warning`` headers (``299 - "text"``), at most 8 of at most 200 characters."""
    texts: list[str] = []
    for header in headers:
        texts += [_plain(found[1]) for found in _WARNING.finditer(header)]
    return tuple(dict.fromkeys(texts))[:_MOST_WARNINGS]


def _plain(quoted: str) -> str:
    return visible_line(re.sub(r"\\(.)", r"\1", quoted))[:_LONGEST_WARNING]
