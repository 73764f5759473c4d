"""Digests: how a week of oversight went, read from the audit events alone.

A week's population is the requests that came in during it; each has exactly one outcome as of the week's end, so the counts
add up to the number asked. The word is used for this summary and nothing else.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final

from approvals.audit.events import EventKind, request_stream
from approvals.facts import instant_of
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import EXPIRED_UNSEEN, State

UNREADABLE: Final = "unreadable"
"""The kind of a record whose bytes are no event: it is counted, and everything else is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One audit event as a reader meets it."""

    stream: str
    sequence: int
    kind: str
    actor: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the sealed chain stands."""

    number: int
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyDigest:
    """One environment's week."""

    environment: str
    start: datetime
    end: datetime
    """Not included."""
    asked: int
    outcomes: Mapping[str, int]
    """By state as of the end; the numbers add up to ``asked``."""
    unseen: int
    """Of those that expired: how many had not been shown to anybody by then."""
    refused: int
    """Refused at intake: never a question, and not among ``asked``."""
    executions: Mapping[str, int]
    """Of the requests asked: how their executions stood at the end, by state."""
    drift: Mapping[str, int]
    """Of the same: how many targets were otherwise than approved, by when that came: see :data:`DRIFTS`."""
    answers_refused: int
    """Clicks and commands that did not count, on this environment's requests."""
    median: timedelta | None
    """Of the time to decide, over what people decided; None where they decided nothing."""
    p95: timedelta | None
    """The nearest-rank 95th percentile of the same."""
    noisiest: tuple[str, int] | None
    """The agent that asked most, and how often; of equals the first by name."""
    pauses: int
    """How many were engaged, wherever they reached."""
    head: Head | None
    unreadable: int = 0
    """Records of the trail that could not be read, wherever they belong."""

    @property
    def expired_share(self) -> float | None:
        """How much of what was asked nobody answered, from 0 to 1: it rises when people stop looking."""
        return None if not self.asked else self.outcomes.get(State.EXPIRED.value, 0) / self.asked


def duration_told(length: timedelta) -> str:
    """Return how long something took in two units at most, such as ``1 h 4 min``, ``2 min 5 s`` or ``9 s``."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def summarise(
    records: Iterable[Record], *, environment: str, start: datetime, end: datetime, head: Head | None
) -> WeeklyDigest:
    """Return the digest of ``[start, end)`` for one environment.

    Args:
        records: Every audit event before *end*, from *start* or earlier on, in any order across streams but in order within each.
        environment: Whose requests are counted.
        start: Included.
        end: Not included.
        head: Where the sealed chain stood when the records were read.
    """
    requests: dict[str, Mapping[str, Any]] = {}
    executions: dict[str, Mapping[str, Any]] = {}
    refused_answers: Counter[str] = Counter()
    pauses = unreadable = 0
    for record in records:
        if record.at >= end:
            continue
        if (request := record.data.get("request")) is not None:
            requests[request["id"]] = request
        if (execution := record.data.get("execution")) is not None:
            executions[execution["escalation"]] = execution
        if record.at >= start:
            refused_answers[record.stream] += record.kind == EventKind.ANSWER_REFUSED
            pauses += record.kind == EventKind.PAUSE_ENGAGED
            unreadable += record.kind == UNREADABLE
    came_in = [one for one in requests.values() if one["environment"] == environment and _within(one, start, end)]
    asked = [one for one in came_in if one["state"] != State.REFUSED]
    carried_out = [executions[one["id"]] for one in asked if one["id"] in executions]
    elsewhere = {request_stream(key) for key, one in requests.items() if one["environment"] != environment}
    times = sorted(_time_to_decide(one) for one in asked if one["state"] in _DECIDED and one["decided_at"] is not None)
    return WeeklyDigest(
        environment=environment,
        start=start,
        end=end,
        asked=len(asked),
        outcomes=dict(sorted(Counter(str(one["state"]) for one in asked).items())),
        unseen=sum(one.get("outcome_code") == EXPIRED_UNSEEN for one in asked),
        refused=len(came_in) - len(asked),
        executions=dict(sorted(Counter(str(one["state"]) for one in carried_out).items())),
        drift=dict(sorted(Counter(drift for one in carried_out if (drift := _drift_of(one)) is not None).items())),
        answers_refused=sum(refused_answers[stream] for stream in refused_answers.keys() - elsewhere),
        median=_percentile(times, 0.5),
        p95=_percentile(times, 0.95),
        noisiest=_noisiest(asked),
        pauses=pauses,
        head=head,
        unreadable=unreadable,
    )


def week_before(now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the last whole ISO week before *now* on the wall of *zone*: its start, and its end, not included, in UTC.

    It runs from a Monday's midnight to the next, so over a change of the clocks it is an hour longer or shorter.
    """
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    start, end = (
        datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) for day in (monday - timedelta(days=7), monday)
    )
    return start, end


def last_due(now: datetime, zone: tzinfo, *, weekday: int, hour: int, minute: int) -> datetime:
    """Return the last instant, not after *now*, at which a weekly digest was due on the wall of *zone*, in UTC.

    Args:
        now: Aware instant.
        zone: Whose wall.
        weekday: 0 for Monday to 6 for Sunday.
        hour: From 0.
        minute: From 0.
    """
    today = now.astimezone(zone).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7)
    due = datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)
    if due <= now:
        return due
    return datetime.combine(day - timedelta(days=7), time(hour, minute), tzinfo=zone).astimezone(UTC)


def week_name(start: datetime, zone: tzinfo) -> str:
    """Return the ISO week that *start* lies in on the wall of *zone*, such as ``2026-W47``."""
    year, week, _ = start.astimezone(zone).isocalendar()
    return f"{year}-W{week:02d}"


_DECIDED: Final = frozenset({State.APPROVED, State.DENIED, State.SUPERSEDED})


DRIFTS: Final[Mapping[str, str]] = {
    "before": "before the start",
    "with": "with the write",
    "unknown": "with the write or since",
    "since": "undone since",
}
"""When a target became otherwise than approved, and how that is called; in the order of time."""


def _drift_of(execution: Mapping[str, Any]) -> str | None:
    """Return when the target of an execution became otherwise than approved; None where it did not, as far as is known."""
    if execution["state"] == Phase.VOIDED and execution["reason"] == Reason.DRIFT:
        return "before"
    if execution["effect"] == Effect.UNDONE:
        return "since"
    if execution["reason"] == Reason.DRIFT:
        return "with"
    return "unknown" if execution["effect"] == Effect.DIFFERS or execution.get("drift") else None


def _within(request: Mapping[str, Any], start: datetime, end: datetime) -> bool:
    return start <= instant_of(request["asked_at"]) < end


def _time_to_decide(request: Mapping[str, Any]) -> timedelta:
    return instant_of(request["decided_at"]) - instant_of(request["asked_at"])


def _percentile(times: list[timedelta], share: float) -> timedelta | None:
    """Return the nearest-rank percentile: the smallest value that at least *share* of all do not exceed."""
    return times[math.ceil(share * len(times)) - 1] if times else None


def _noisiest(asked: list[Mapping[str, Any]]) -> tuple[str, int] | None:
    counts = Counter(str(one["agent"]) for one in asked)
    return min(counts.items(), key=lambda pair: (-pair[1], pair[0])) if counts else None
