"""Comparisons: whether a target is, as a whole, what the last dry run said it would be. One check for every road.

It is made after an answered write as after one whose answer was lost, and by the first look of whoever follows the effect
where neither could see the target. A difference is called ours only where nobody else can have written since; a mark and a
number that look right prove neither, since their writer chose them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from approvals.canonical import LARGEST
from approvals.change.diff import Mac
from approvals.change.image import MOST_CHANGES, deviations
from approvals.change.plan import Bound, Change, Leaf, Preview, generation_of
from approvals.verbs.managers import AUTOSCALERS, owners_of

REPLICAS: Final = "/spec/replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a target has otherwise than was approved; ``before`` of a change is what was approved, ``after`` what is there."""

    differences: tuple[Change, ...] = ()
    came_with_it: bool = False
    """Whether it certainly came with our own write; else it may have come since."""
    is_unlike: bool = False
    """Whether it is known to differ though not in what."""

    @property
    def is_as_planned(self) -> bool:
        """Whether nothing differs."""
        return not self.differences and not self.is_unlike

    def beside(self, planned: Iterable[Change]) -> "Comparison":
        """Return the same without the fields of *planned*: what becomes of those is the effect's to tell."""
        known = {change.path for change in planned}
        return replace(self, differences=tuple(one for one in self.differences if one.path not in known))

    @property
    def told(self) -> tuple[Change, ...]:
        """The differences that are kept and told."""
        return self.differences[:MOST_CHANGES]


def compare(
    image: bytes,
    now: Mapping[str, Any],
    *,
    step: tuple[Change, ...],
    generation_before: int,
    is_ours: bool,
    mac: Mac,
) -> Comparison:
    """Return how the target, as it is *now*, compares with its image.

    Args:
        image: Of the whole target as the dry run right before the start answered it.
        now: The raw target.
        step: What the write was to change.
        generation_before: The target's, right before the write.
        is_ours: Whether the write that raised the generation is known to be ours: it was answered, or bears our mark.
        mac: As the image was made with.
    """
    planned = {change.path for change in step}
    found = tuple(
        one for one in deviations(image, now, mac=mac) if one.path in planned or not _is_an_autoscalers(one, now)
    )
    only_write = is_ours and generation_of(now) == generation_before + 1
    # Labels and annotations raise no generation, so of them nobody can tell when they came.
    return Comparison(
        differences=found, came_with_it=only_write and all(one.path.startswith("/spec/") for one in found)
    )


def _is_an_autoscalers(one: Change, now: Mapping[str, Any]) -> bool:
    """Tell whether it is the number of pods, which an autoscaler has set while something else was changed."""
    return one.path == REPLICAS and any(owner in AUTOSCALERS for owner in owners_of(now, "spec", "replicas"))


def departures(planned: Iterable[Change], came: Iterable[Change]) -> tuple[Change, ...]:
    """Return what a write changed otherwise than it was to, given the changes that it *came* to."""
    wanted, found = {one.path: one for one in planned}, {one.path: one for one in came}
    differing = (_departure(path, wanted.get(path), found.get(path)) for path in sorted(wanted.keys() | found.keys()))
    return tuple(one for one in differing if one.before != one.after)


def _departure(path: str, wanted: Change | None, found: Change | None) -> Change:
    if found is None and wanted is not None:
        return Change(path=path, before=wanted.after, after=wanted.before)
    if wanted is None and found is not None:
        return found
    return Change(path=path, before=wanted.after if wanted else None, after=found.after if found else None)


def drift_between(approved: Bound, now: Preview) -> tuple[Change, ...]:
    """Return in what the target is no longer what was approved, as a new preview of the same wish shows it.

    ``before`` is what people saw it hold, ``after`` what it holds. A field that the write would not change any more already
    holds what was wanted; one that it would change besides is shown with what it would come to.
    """
    differing = (
        [] if approved.cluster_uid == now.cluster_uid else [_moved("cluster", approved.cluster_uid, now.cluster_uid)]
    )
    for was, step in zip(approved.steps, now.steps, strict=False):
        if was.uid != step.uid:
            differing.append(_moved("metadata/uid", was.uid, step.uid))
        before, after = {one.path: one for one in was.changes}, {one.path: one for one in step.changes}
        for path in sorted(before.keys() | after.keys()):
            differing += _drifted(path, before.get(path), after.get(path))
    return tuple(_tellable(one) for one in differing[:MOST_CHANGES])


def _tellable(change: Change) -> Change:
    """Return *change* as an event can hold it: a number too large for a hash, which nobody approved, in its digits."""
    return replace(change, before=_digits(change.before), after=_digits(change.after))


def _digits(leaf: Leaf) -> Leaf:
    return str(leaf) if type(leaf) is int and abs(leaf) > LARGEST else leaf


def _moved(what: str, before: str, after: str) -> Change:
    return Change(path=f"/{what}", before=before, after=after)


def _drifted(path: str, was: Change | None, now: Change | None) -> list[Change]:
    if was is None or now is None:
        one = was or now
        return [] if one is None else [one]
    if was.before != now.before:
        return [Change(path=path, before=was.before, after=now.before)]
    return [Change(path=path, before=was.after, after=now.after)] if was.after != now.after else []
