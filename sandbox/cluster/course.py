"""Courses: where one workload's rollout is, how it goes on, and the status that tells of it.

Pure: instants are arguments, in seconds of any one clock. The thread that asks is :mod:`sandbox.cluster.controller`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.cluster.conditions import Phase, conditions
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.rollout import Counts, Pods, Rollout, is_held, is_stuck, template_hash

REVISION: Final = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a rollout is."""

    uid: str
    generation: int
    """The generation of the specification that was last looked at."""
    rollout: Rollout
    template: str
    """The template that is rolled out or was last."""
    previous: str
    """The one before it, of which pods may be left."""
    revision: int
    """Which template this is, counted from 1."""
    started: float
    progressed: float
    """When a pod last became ready."""
    pods: Pods
    phase: Phase
    is_moving: bool = True
    """Whether time alone will change it."""


def settled(workload: Mapping[str, Any], now: float) -> Course:
    """Return the course of a workload that has long been there: complete, or stuck without a single ready pod."""
    spec = workload["spec"]
    stuck = is_stuck(spec) and spec["replicas"] > 0
    start = Pods(0, 0 if stuck else spec["replicas"])
    course = _begun(workload, start, now)
    return replace(course, phase=Phase.TIMED_OUT if stuck else Phase.COMPLETE, is_moving=False)


def looked(before: Course | None, workload: Mapping[str, Any], now: float) -> Course:
    """Return the course to what the specification asks for now, from wherever the one *before* has come.

    The first status afterwards still carries the phase of before where only the number of pods changes, although it
    speaks of the new generation already: a real controller, too, says "timed out" once more when a stuck rollout is scaled.
    """
    if before is None or before.uid != workload["metadata"]["uid"]:
        return _begun(workload, Pods(0, 0), now)
    spec = workload["spec"]
    template = template_hash(spec)
    held = is_held(spec)
    if template == before.template or held:
        rollout = _rollout(workload, before.pods, held=held, adopted=template == before.template)
        phase = Phase.PAUSED if spec.get("paused") else before.phase
        seen = workload["metadata"]["generation"]
        # Once no pod of it is left, the template before last is forgotten.
        previous = before.previous if before.pods.old else before.template
        begun = replace(
            before, generation=seen, previous=previous, rollout=rollout, pods=rollout.pods(0.0), phase=phase
        )
        return replace(begun, started=now, progressed=now, is_moving=True)
    course = _begun(workload, Pods(before.pods.ready, 0), now)
    return replace(course, previous=before.template, revision=before.revision + 1)


def moved(course: Course, spec: Mapping[str, Any], now: float, *, duration: float) -> Course:
    """Return *course* as it is at *now*; a rollout that is not stuck takes *duration* seconds."""
    rollout = course.rollout
    pods = rollout.pods(1.0 if now >= course.started + duration else (now - course.started) / duration)
    progressed = course.progressed if pods == course.pods else now
    phase = _phase(course, spec, pods, now - progressed)
    waits = phase is Phase.ROLLING and "progressDeadlineSeconds" in spec
    is_moving = not rollout.is_done(pods) and (waits if rollout.is_stuck else True)
    return replace(course, pods=pods, progressed=progressed, phase=phase, is_moving=is_moving)


def _phase(course: Course, spec: Mapping[str, Any], pods: Pods, idle: float) -> Phase:
    if spec.get("paused"):
        return Phase.PAUSED
    if course.phase is Phase.COMPLETE or course.rollout.is_done(pods):
        return Phase.COMPLETE
    deadline = spec.get("progressDeadlineSeconds")
    if course.rollout.is_stuck and deadline is not None and idle >= deadline:
        return Phase.TIMED_OUT
    return Phase.ROLLING


def _begun(workload: Mapping[str, Any], start: Pods, now: float) -> Course:
    rollout = _rollout(workload, start, held=False, adopted=True)
    template = template_hash(workload["spec"])
    return Course(
        uid=workload["metadata"]["uid"],
        generation=workload["metadata"]["generation"],
        rollout=rollout,
        template=template,
        previous=template,
        revision=1,
        started=now,
        progressed=now,
        pods=rollout.pods(0.0),
        phase=Phase.ROLLING,
    )


def _rollout(workload: Mapping[str, Any], start: Pods, *, held: bool, adopted: bool) -> Rollout:
    spec = workload["spec"]
    return Rollout(
        is_deployment=workload["kind"] == "Deployment",
        wanted=spec["replicas"],
        start=start,
        # A template that waits has no pods that could be stuck.
        is_stuck=adopted and is_stuck(spec),
        is_held=held,
        is_adopted=adopted,
    )


def status_of(course: Course, workload: Mapping[str, Any], *, at: str) -> JsonObject:
    """Return the workload's status at the timestamp *at*; like the server, most counters are left out while they are 0."""
    counts = course.rollout.counts(course.pods)
    head: JsonObject = {"observedGeneration": course.generation}
    if not course.rollout.is_deployment:
        return head | _stateful_numbers(counts) | _revisions(course, workload, counts)
    told = conditions(
        workload["status"].get("conditions") or (),
        phase=course.phase,
        is_available=counts.ready >= course.rollout.least,
        replica_set=f"{workload['metadata']['name']}-{course.template}",
        at=at,
    )
    return head | _deployment_numbers(counts) | {"conditions": told}


def _deployment_numbers(counts: Counts) -> JsonObject:
    named = {
        "replicas": counts.total,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.ready,
        "unavailableReplicas": max(0, counts.total - counts.ready),
    }
    return {name: number for name, number in named.items() if number} | {"terminatingReplicas": 0}


def _stateful_numbers(counts: Counts) -> JsonObject:
    named = {"readyReplicas": counts.ready, "updatedReplicas": counts.updated}
    kept = {name: number for name, number in named.items() if number}
    return {"replicas": counts.total, **kept, "availableReplicas": counts.ready}


def _revisions(course: Course, workload: Mapping[str, Any], counts: Counts) -> JsonObject:
    newest = template_hash(workload["spec"])
    current = course.template
    if newest == course.template and not course.rollout.is_done(course.pods):
        current = course.previous
    number = counts.updated if current == newest else counts.total - counts.updated
    name = workload["metadata"]["name"]
    told = {"currentReplicas": number} if number else {}
    return {**told, "currentRevision": f"{name}-{current}", "updateRevision": f"{name}-{newest}", "collisionCount": 0}


def annotations_of(course: Course, workload: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations with the revision, which a Deployment's controller writes there; a StatefulSet's are its own."""
    annotations: dict[str, str] = dict(workload["metadata"].get("annotations") or {})
    return annotations | ({REVISION: str(course.revision)} if course.rollout.is_deployment else {})
