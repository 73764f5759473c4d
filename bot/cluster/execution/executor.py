"""The executor: the one place that writes to a cluster. The exact bytes, once, as the executor's account.

Right before the write the object is read as it is, because the write is conditional on that very state: so the server's
answer can be compared with the plan whole, and not only in the fields we named. Every outcome is an answer, never an
exception; what is not certain is *lost*, and somebody reads it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from json import loads
from typing import Any, Final

from approvals.change.diff import Mac
from approvals.change.plan import Bound, Change, Step
from approvals.ports.cluster import Came, Reply
from approvals.verbs.verb import Verb, field_manager
from approvals.workflow.comparison import departures
from bot.causes import OTHER, cause_of
from bot.cluster.client import paths
from bot.cluster.client.answers import HttpReply, describe
from bot.cluster.client.calls import Client, Lost, TooLate, Unsent
from bot.cluster.client.identities import Minted

_CERTAIN: Final[Mapping[int, Came]] = {
    HTTPStatus.UNAUTHORIZED: Came.EXPIRED,
    HTTPStatus.CONFLICT: Came.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS: Came.BUSY,
}
"""Statuses with a meaning of their own. Any other 4xx of the API server's own is a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """One step to be written as one executor."""

    looking: Client
    writing: Client
    """More patient: here a lost answer costs most."""
    verb: Verb
    bound: Bound
    step: Step
    mac: Mac

    def send(self, body: bytes, *, leave_by: float) -> Reply:
        """Write *body* once and return what came of it.

        The gate was looked at before this was called, and the look at the object may take longer than a pause takes to be
        in force. So a write that would begin to leave after *leave_by*, as :func:`time.monotonic` tells it, does not.
        """
        before = self._before()
        if isinstance(before, Reply):
            return before
        query = {"fieldManager": field_manager(self.bound.escalation), "fieldValidation": "Strict"}
        try:
            answer = self.writing.call(
                "PATCH",
                paths.target(self.step),
                query=query,
                body=body,
                content_type=self.step.patch_type.value,
                leave_by=leave_by,
            )
        except TooLate:
            return Reply(came=Came.NOT_SENT, message="It took too long to reach the cluster, so nothing was sent.")
        except Unsent as error:
            return Reply(came=Came.NOT_SENT, message=f"No connection to the cluster came about{_because(error)}.")
        except Lost:
            return Reply(came=Came.LOST, message="The cluster's answer to the write was lost.")
        if answer.is_good:
            return self._applied(answer, before, body)
        return _refused(answer)

    def _before(self) -> dict[str, Any] | Reply:
        """Return the object before the write, or why nothing was written."""
        try:
            answer = self.looking.call("GET", paths.target(self.step))
        except (Unsent, Lost) as error:
            return Reply(
                came=Came.NOT_SENT, message=f"The cluster did not answer, so nothing was sent{_because(error)}."
            )
        if answer.is_good:
            return answer.object()
        refused = _refused(answer)
        return (
            refused
            if refused.came is not Came.LOST
            else Reply(
                came=Came.NOT_SENT,
                status=answer.status,
                message=f"The cluster could not answer ({describe(answer)}), so nothing was sent.",
            )
        )

    def _applied(self, answer: HttpReply, before: Mapping[str, Any], body: bytes) -> Reply:
        as_planned, otherwise = self._judged(before, answer.object(), body)
        return Reply(
            came=Came.APPLIED,
            status=answer.status,
            audit_id=answer.audit_id,
            message="Applied." if as_planned else "Applied, and the cluster's answer is not what was planned.",
            as_planned=as_planned,
            departures=otherwise,
        )

    def _judged(
        self, before: Mapping[str, Any], after: Mapping[str, Any], body: bytes
    ) -> tuple[bool, tuple[Change, ...]]:
        """Tell whether exactly the planned fields changed to exactly the planned values, and which did otherwise.

        A scale's answer is not the whole target: what it cannot show, the look that comes after it compares.

        The object that was read is the one that was changed only if it had the resource version that the write named;
        otherwise nothing can be said of it, which is not a yes.
        """
        if before["metadata"]["resourceVersion"] != loads(body)["metadata"]["resourceVersion"]:
            return False, ()
        found = departures(self.step.changes, self.verb.reviewed(before, after, self.mac))
        return not found, found


def _because(error: Unsent | Lost) -> str:
    cause = cause_of(error)
    return "" if cause is OTHER else f": {cause.words}"


def _refused(answer: HttpReply) -> Reply:
    """Return what an answer that is no success means: certain only where the API server itself says so."""
    came = _CERTAIN.get(answer.status, Came.REJECTED) if answer.is_refusal else Came.LOST
    return Reply(
        came=came, status=answer.status, audit_id=answer.audit_id, message=_SENTENCES[came].format(describe(answer))
    )


_SENTENCES: Final[Mapping[Came, str]] = {
    Came.EXPIRED: "The cluster did not accept the executor's token ({}).",
    Came.CONFLICT: "Somebody changed the target in between ({}).",
    Came.BUSY: "The cluster is busy and did not take it on ({}).",
    Came.REJECTED: "The cluster refused it ({}).",
    Came.LOST: "Whether it took effect is not certain ({}).",
}


def unfit(credential: Minted, bound: Bound, *, now: datetime) -> Reply | None:
    """Return why *credential* cannot be used for this plan, so that nothing is sent; None where it can.

    The server takes a token for a minute after its end; we do not, so that what is lost later is certain sooner.
    """
    if credential.account.username != bound.executor:
        return Reply(came=Came.REJECTED, message="The token is not that of the executor that was approved.")
    if now >= credential.expires_at:
        return Reply(came=Came.EXPIRED, message="The executor's token has ended.")
    return None
