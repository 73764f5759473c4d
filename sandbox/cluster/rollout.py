"""Rollouts: how many pods of which template there are a while after a change.

Pure arithmetic; what becomes of it over time is :mod:`sandbox.cluster.course`. A coarse copy of the real
controllers: numbers move as theirs do, at a pace that people can watch; pods themselves do not exist.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PULL_FAILS: Final = ("devcluster.countersign.dev/pull", "fails")
"""The template label whose pods never become ready; the real loopback cluster knows it, too."""

_SLACK: Final = 0.25
"""The share of pods that may be missing, or be there on top, while a Deployment rolls: the server's default."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The ready pods of a workload: those of older templates, and those of the newest that was rolled out."""

    old: int
    fresh: int

    @property
    def ready(self) -> int:
        """How many there are."""
        return self.old + self.fresh


@dataclass(frozen=True, slots=True)
class Counts:
    """What a status counts."""

    total: int
    updated: int
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One workload on its way to what its specification asks for.

    Attributes:
        is_deployment: Whether it is a Deployment, else a StatefulSet, which replaces one pod at a time.
        wanted: How many pods.
        start: The ready pods at the beginning.
        is_stuck: Whether new pods never become ready.
        is_held: Whether no pod is replaced now: rollouts are paused, or pods are replaced when somebody deletes them.
        is_adopted: Whether the newest template is being rolled out, and not waiting.
    """

    is_deployment: bool
    wanted: int
    start: Pods
    is_stuck: bool = False
    is_held: bool = False
    is_adopted: bool = True

    def pods(self, progress: float) -> Pods:
        """Return the ready pods once *progress*, from 0 to 1, of the way is done."""
        fresh = min(self.start.fresh, self.wanted)
        if self.is_held:
            old = min(self.start.old, self.wanted - fresh)
            return Pods(old, fresh + math.floor(progress * (self.wanted - fresh - old)))
        if self.is_stuck:
            # The controller takes away as many old pods as it may, and no more until a new one is ready.
            spared = self.least if self.is_deployment else self.wanted - 1
            return Pods(max(0, min(self.start.old, spared - fresh)), fresh)
        fresh += math.floor(progress * (self.wanted - fresh))
        old = self.start.old - math.floor(progress * self.start.old)
        return Pods(max(0, min(old, self._most - fresh)) if self.wanted else 0, fresh)

    def counts(self, pods: Pods) -> Counts:
        """Return what the status counts while the ready pods are *pods*."""
        if self.is_done(pods) or self.is_held:
            return Counts(total=self.wanted, updated=pods.fresh if self.is_adopted else 0, ready=pods.ready)
        if self.is_deployment:
            created = min(self.wanted, max(pods.fresh, self._most - pods.old))
            return Counts(total=pods.old + created, updated=created, ready=pods.ready)
        ready = min(pods.ready, self.wanted - 1)
        return Counts(total=ready + 1, updated=pods.fresh + 1 if pods.old else ready + 1, ready=ready)

    def is_done(self, pods: Pods) -> bool:
        """Tell whether *pods* is all that can be had for now."""
        return pods.ready == self.wanted if self.is_held else pods == Pods(0, self.wanted)

    @property
    def least(self) -> int:
        """How many ready pods a Deployment must have to count as available."""
        return self.wanted - math.floor(self.wanted * _SLACK)

    @property
    def _most(self) -> int:
        return self.wanted + (math.ceil(self.wanted * _SLACK) if self.is_deployment else 0)


def is_stuck(spec: Mapping[str, Any]) -> bool:
    """Tell whether pods of this specification's template never become ready."""
    label, value = PULL_FAILS
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    return bool(labels.get(label) == value)


def is_held(spec: Mapping[str, Any]) -> bool:
    """Tell whether a changed template would wait."""
    return bool(spec.get("paused")) or (spec.get("updateStrategy") or {}).get("type") == "OnDelete"


def template_hash(spec: Mapping[str, Any]) -> str:
    """Return the short name of a template, as revisions are called."""
    written = json.dumps(spec["template"], sort_keys=True).encode()
    return hashlib.sha256(written).hexdigest()[:10]
