"""The interpreter: from a verb's data to a preview, by dry run, as the planner. One for every verb.

It reads what the verb asks for, lets the verb build its steps, sends each step's exact bytes as a dry run, and lets the verb
say what differs. All of it has to be about one state of the object: each dry run carries the resource version that was
read, and where somebody was faster everything is read again, at most three times.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from approvals.change.action import ProposedAction
from approvals.change.diff import Mac
from approvals.change.image import image_of
from approvals.change.plan import Evidence, Preview, Resource, Step, envelope, generation_of
from approvals.errors import Unavailable, Unplannable
from approvals.verbs.verb import Observed, PlanSeed, Read, StepDraft, Verb, field_manager
from bot.cluster.client import asking, paths
from bot.cluster.client.answers import HttpReply, describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client

_ROUNDS: Final = 3
_MOST_WARNINGS: Final = 8


class _Raced(Exception):
    """Somebody changed the target between two of our calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One change to be previewed through one planner's line."""

    line: Client
    verb: Verb
    action: ProposedAction
    occasion: PlanSeed
    mac: Mac
    now: Callable[[], datetime]

    def preview(self, cluster_uid: str) -> Preview:
        """Return what the change would do.

        Raises:
            Declined: The planner's token was not accepted (401).
            Unplannable: There is no such target, or the server or the verb refuses the change.
            Unavailable: The answer is not known, or others keep changing the target.
        """
        for _ in range(_ROUNDS):
            try:
                return self._preview(cluster_uid)
            except _Raced:
                continue
        raise Unavailable("Others keep changing the target while it is looked at.", code="target_contended")

    def _preview(self, cluster_uid: str) -> Preview:
        seen_at = self.now()
        observed, whole = self._look()
        version = str(whole["metadata"]["resourceVersion"])
        drafts = self.verb.build(observed, self.action.target, self._resource, self.action.parameters, self.occasion)
        steps: list[Step] = []
        warnings: list[str] = []
        image = b""
        for draft in drafts:
            answer = self._rehearse(draft, version)
            after = answer.object()
            changes = self.verb.reviewed(observed[draft.before], after, self.mac)
            image = image_of(self.verb.becomes(observed, after), mac=self.mac)
            steps.append(replace(draft.step, changes=changes))
            warnings += answer.warnings
        stake = self.verb.stake(observed, self.action.parameters)
        evidence = Evidence(
            seen_at=seen_at,
            resource_version=version,
            generation=generation_of(whole),
            risk=stake.risk,
            warnings=tuple(dict.fromkeys(warnings))[:_MOST_WARNINGS],
            blind_spots=self.verb.blind_spots,
            findings=stake.findings,
            blast=stake.blast,
        )
        return Preview(cluster_uid=cluster_uid, steps=tuple(steps), evidence=evidence, image=image)

    @property
    def _resource(self) -> Resource:
        return self.verb.kind(self.action.target.kind).resource

    def _look(self) -> tuple[Observed, dict[str, Any]]:
        """Return what the verb asked for, and of that the target's own object: all of one state of it."""
        observed: dict[str, Any] = {}
        of_target: dict[str | None, dict[str, Any]] = {}
        for read in self.verb.reads(self.action.target, self._resource):
            found = self._read(read)
            observed[read.key] = found if read.name is not None else found.get("items") or []
            if (read.resource, read.name) == (self._resource, self.action.target.name):
                of_target[read.subresource] = found
        if len({found["metadata"]["resourceVersion"] for found in of_target.values()}) != 1:
            raise _Raced
        return observed, of_target[None]

    def _read(self, read: Read) -> dict[str, Any]:
        path = paths.objects(read.resource, self.action.target.namespace)
        if read.name is not None:
            path = paths.one(read.resource, self.action.target.namespace, read.name, read.subresource)
        try:
            return asking.get(self.line, path)
        except Declined as refusal:
            if read.name is None and refusal.status == HTTPStatus.NOT_FOUND:
                # A list is there where nothing is in it: the cluster does not serve this, which says nothing of the target.
                told = f"The cluster does not serve {read.resource.plural} ({describe(refusal.answer)})."
                raise Unavailable(told, code="not_served") from refusal
            raise self._meaning(refusal, f"read {read.resource.plural}") from refusal

    def _rehearse(self, draft: StepDraft, version: str) -> HttpReply:
        """Return the answer to a dry run of the very bytes that would be sent."""
        step = draft.step
        query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": field_manager(self.occasion.escalation)}
        try:
            return asking.patch(
                self.line,
                paths.target(step),
                envelope(step, version),
                content_type=step.patch_type.value,
                query=query,
            )
        except Declined as refusal:
            if refusal.status == HTTPStatus.CONFLICT:
                raise _Raced from refusal
            raise self._meaning(refusal, f"try out the change of {step.resource.plural}") from refusal

    def _meaning(self, refusal: Declined, doing: str) -> Exception:
        if refusal.is_unauthorised:
            return refusal
        words = describe(refusal.answer)
        if refusal.status == HTTPStatus.NOT_FOUND:
            return Unplannable(f"There is no {self.action.target}.", code="target_not_found", field="/action/target")
        if refusal.status == HTTPStatus.FORBIDDEN and not refusal.answer.is_by_admission:
            # That our planner lacks a right is no fault of whoever asks: an outage of ours.
            return Unavailable(f"The planner's account may not {doing} ({words}).", code="planner_refused")
        return Unplannable(f"The cluster refuses the change ({words}).", code="refused_by_cluster")
