"""Verbs: what kind of change may be asked for, as data and pure functions.

A verb is one file under :mod:`approvals.verbs`. The cluster door has one interpreter for all of them, the
approvers' door one renderer; parameters' shapes, roles, admission policies, documentation and the fault tests are
derived from these fields, so that adding a verb touches one file and the registry.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from approvals.change.action import Argument, ProposedAction, Target
from approvals.change.diff import Mac
from approvals.change.plan import Bound, Change, Resource, Step
from approvals.change.risk import Risk
from approvals.errors import Malformed
from approvals.identity.names import EscalationId
from approvals.verbs.parameter import Parameter, place_of

Observed = Mapping[str, Any]
"""What was read, under the names of the reads: raw JSON objects, or lists of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """A kind of target that a verb takes."""

    name: str
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One thing to read while planning: an object, one of its subresources, or (*name* None) a namespace's list."""

    key: str
    resource: Resource
    name: str | None
    subresource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """A step before its dry run, and under which key the object it changes was read."""

    step: Step
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSeed:
    """What is fixed before planning, so that planning again gives the same plan."""

    escalation: EscalationId
    at: datetime
    """When the escalation came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """One RBAC rule: the least that a role needs for a verb."""

    group: str
    resource: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """What admission lets an executor's write to one resource change: CEL expressions that must all hold."""

    group: str
    version: str
    resource: str
    expressions: tuple[tuple[str, str], ...]
    """Pairs of an expression and the message that its refusal carries."""


class Landed(StrEnum):
    """What a fresh read proves about a write whose reply was lost."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What an object was at right before a write."""

    resource_version: str
    """The write is conditional on it: any other write, or a status, moves it."""
    generation: int
    """What a change of the specification raises; 0 for a kind that has none."""


class Effect(StrEnum):
    """How far the cluster has carried out what was written."""

    IN_PROGRESS = "in_progress"
    VERIFIED = "verified"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    OVERTAKEN = "overtaken"
    """A newer change of the same target was applied before this one had finished: neither done nor failed."""
    DIFFERS = "differs"
    """The target is not, as a whole, what was planned; whether that came with our write or since cannot be told."""
    UNDONE = "undone"
    """It was as approved, and somebody else has changed it since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An effect, and a sentence about it that holds no text from outside."""

    effect: Effect
    sentence: str
    pace: str = ""
    """Whatever differs from one look to the next while something moves, and only then; nobody is shown it."""


Objects = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """By what it is told how far an effect is, and why it does not move."""

    progress: Callable[[Bound, Mapping[str, Any]], Progress]
    """Of the bound plan and the object as it is now."""
    standstill: Callable[[Mapping[str, Any], Objects, Objects], str]
    """Of the object as it is now, its pods and the events about it, as far as they were read: a sentence, or nothing."""
    looks_around: bool
    """Whether pods and events are read for that; else the object itself has to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A change that a verb's fence must refuse: it is tried out, in dry run, on an object that is there for nothing else."""

    kind: TargetKind
    """Of the object it is tried on."""
    subresource: str | None
    breach: Mapping[str, Any]
    """The merge patch."""
    canary: Callable[[str], Mapping[str, Any]] | None = None
    """Returns the specification of the object of that name, where it is no Deployment: one of those is always there."""


SURROUNDINGS: Final = (
    AccessRule(group="", resource="events", verbs=("list",)),
    AccessRule(group="", resource="pods", verbs=("list",)),
)
"""What an observer may list besides, in its own namespace, to say why a workload's pods do not come up.

RBAC cannot narrow a list to one workload's: what is asked for is narrowed, by label and by field. None of it can be changed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a change puts at stake by itself, and what our own checks found."""

    risk: Risk
    findings: tuple[str, ...]
    blast: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One kind of change. The functions are pure; *observed* holds what :attr:`reads` asked for."""

    name: str
    kinds: tuple[TargetKind, ...]
    parameters: tuple[Parameter, ...]
    blind_spots: tuple[str, ...]
    planner_rules: tuple[AccessRule, ...]
    executor_rules: tuple[AccessRule, ...]
    observer_rules: tuple[AccessRule, ...]
    fences: tuple[Fence, ...]
    reads: Callable[[Target, Resource], tuple[Read, ...]]
    build: Callable[[Observed, Target, Resource, Mapping[str, Argument], PlanSeed], tuple[StepDraft, ...]]
    reviewed: Callable[[Mapping[str, Any], Mapping[str, Any], Mac], tuple[Change, ...]]
    stake: Callable[[Observed, Mapping[str, Argument]], Assessment]
    summary: Callable[[Bound], str]
    becomes: Callable[[Observed, Mapping[str, Any]], Mapping[str, Any]]
    """Of what was read and the dry run's answer: the whole target as it would be."""
    evidence_of: Callable[[Bound, Baseline, Mapping[str, Any]], Landed]
    """Of the bound plan, what the send was conditional on, and the object as it is now: never by a mark alone."""
    marked: Callable[[Bound, Mapping[str, Any]], bool]
    """Whether the object bears our mark. Whoever may write to it can put it there: it proves nothing by itself."""
    yardstick: Yardstick
    trial: Trial
    effect_words: Mapping[str, str | None] = field(default_factory=dict)
    """By path, the word that stands in an effect key for a value that is another each time; None for a mark of ours."""

    def kind(self, name: str) -> TargetKind:
        """Return the kind called *name*.

        Raises:
            Malformed: This verb does not take it.
        """
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise Malformed(
            f"{self.name} takes {' or '.join(kind.name for kind in self.kinds)}.",
            code="unknown_kind",
            field="/action/target/kind",
        )

    def check(self, action: ProposedAction) -> None:
        """Return if the action's kind and parameters are ones that this verb takes.

        Raises:
            Malformed: A parameter is missing, unknown, of another type or out of bounds, or the kind is not taken.
        """
        self.kind(action.target.kind)
        known = {parameter.name for parameter in self.parameters}
        for name in action.parameters:
            if name not in known:
                raise Malformed(
                    f"{self.name} takes no such parameter.", code="unknown_field", field="/action/parameters"
                )
        for parameter in self.parameters:
            value = action.parameters.get(parameter.name)
            if value is None:
                place = place_of(parameter.name)
                raise Malformed(f"{self.name} needs the parameter {parameter.name}.", code="missing_field", field=place)
            parameter.check(value)


OUR_WRITERS: Final = "countersign:"
"""How the field manager of each of our writes begins."""


def field_manager(escalation: EscalationId) -> str:
    """Return the field manager that marks an escalation's writes, at most 128 bytes (the API server's limit)."""
    return f"{OUR_WRITERS}{escalation}"
