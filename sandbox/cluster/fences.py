"""Fences: the admission policies, evaluated from data where a real server evaluates expressions.

They see a write after its preconditions and its validation, exactly where a server's validating admission stands, and
refuse with reason Forbidden.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.identities import User
from sandbox.cluster.jsontypes import ABSENT, changed_pointers
from sandbox.cluster.routes import Call
from sandbox.cluster.seed import DryRunOnly, Fence, FieldFence, MinterFence, TokenFence

_SERVERS_OWN: Final = ("/metadata/managedFields", "/metadata/resourceVersion", "/metadata/generation", "/status")


class Fences:
    """The fences of one stand-in."""

    def __init__(self, fences: Iterable[Fence]) -> None:
        self._fences = tuple(fences)

    def check_write(
        self, user: User, call: Call, *, before: Mapping[str, Any], after: Mapping[str, Any], dry_run: bool
    ) -> None:
        """Return if no fence stands against changing *before* into *after*.

        Raises:
            Refused: 403.
        """
        for fence in self._fences:
            if isinstance(fence, MinterFence) or not _is_among(user.name, fence.users):
                continue
            if isinstance(fence, DryRunOnly) and not dry_run:
                raise _denied(fence, call)
            if isinstance(fence, FieldFence) and fence.resource == call.full_resource and _strays(fence, before, after):
                raise _denied(fence, call)

    def check_token(
        self, user: User, call: Call, *, account: str, seconds: int, audiences: Iterable[str], dry_run: bool
    ) -> None:
        """Return if no fence stands against a token of *account* for so many *seconds* and these *audiences*.

        Raises:
            Refused: 403.
        """
        for fence in self._fences:
            if isinstance(fence, MinterFence):
                if _is_among(account, fence.accounts) and not _is_among(user.name, fence.minters):
                    raise _denied(fence, call)
            elif not _is_among(user.name, fence.users):
                continue
            elif (isinstance(fence, DryRunOnly) and not dry_run) or (
                isinstance(fence, TokenFence) and not _may_mint(fence, account, seconds, audiences)
            ):
                raise _denied(fence, call)


def _may_mint(fence: TokenFence, account: str, seconds: int, audiences: Iterable[str]) -> bool:
    known = all(_is_among(one, fence.audiences) for one in audiences)
    return known and seconds <= fence.seconds and _is_among(account, fence.accounts)


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _strays(fence: FieldFence, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return any(
        new is ABSENT or pointer not in fence.pointers or _passes(fence.ceilings.get(pointer), new)
        for pointer, _old, new in changed_pointers(before, after)
        if not pointer.startswith(_SERVERS_OWN)
    ) or any(not _has_form(after, pointer, form) for pointer, form in fence.forms.items())


def _has_form(whole: Mapping[str, Any], pointer: str, form: str) -> bool:
    held: Any = whole
    for step in pointer.split("/")[1:]:
        held = held.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(held, Mapping) else None
    return isinstance(held, str) and re.fullmatch(form, held) is not None


def _passes(ceiling: int | None, number: Any) -> bool:
    return ceiling is not None and (not isinstance(number, int) or number > ceiling)


def _denied(fence: Fence, call: Call) -> refusals.Refused:
    why = f"ValidatingAdmissionPolicy '{fence.name}' with binding '{fence.name}' denied request: {fence.message}"
    return refusals.forbidden(call.group, call.resource, call.name, why, causes=[{"message": why}])
