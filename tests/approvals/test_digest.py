"""Digests: a week from the audit events alone, and numbers that add up."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.audit.events import AuditEvent, EventKind, Transition, request_stream
from approvals.change.plan import Change
from approvals.facts import facts_of
from approvals.presentation.digest import (
    DRIFTS,
    Head,
    Record,
    WeeklyDigest,
    duration_told,
    last_due,
    summarise,
    week_before,
    week_name,
)
from approvals.verbs.verb import Effect
from approvals.workflow.endings import expire
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.pause import engage
from approvals.workflow.request import EXPIRED_UNSEEN, Request, State, opened
from tests.approvals.strategies import FEW
from tests.builders import ADA, MINUTE, TICK, a_pause, a_request, an_execution

START = datetime(2026, 11, 16, tzinfo=UTC)
END = START + timedelta(days=7)
HERE = "prod-eu-1"
BERLIN = ZoneInfo("Europe/Berlin")


def read(event: AuditEvent, sequence: int = 1) -> Record:
    """Return *event* as a reader meets it."""
    return Record(
        stream=event.stream, sequence=sequence, kind=event.kind, actor=event.actor, at=event.at, data=event.data
    )


def told(transition: Transition[Any]) -> list[Record]:
    """Return the events of *transition* as a reader meets them."""
    return [read(event) for event in transition.events]


def a_record(kind: EventKind, at: datetime, stream: str = "request:esc_1", **nouns: Any) -> Record:
    """Return a record of *kind* that holds these nouns."""
    data = {name: facts_of(noun) for name, noun in nouns.items()}
    return Record(stream=stream, sequence=1, kind=kind, actor=ADA, at=at, data=data)


def asked(name: str, at: datetime = START, **changed: Any) -> Request:
    """Return a request that came in at *at*."""
    return a_request(id=name, asked_at=at, deadline=at + 15 * MINUTE, **changed)


def history(
    name: str, state: State, *, at: datetime = START, minutes: int = 5, agent: str = "scaler", environment: str = HERE
) -> list[Record]:
    """Return the records of one request that came to *state* some minutes after it was asked."""
    request = asked(name, at, agent=agent, environment=environment)
    stream = request_stream(name)
    if state is State.REFUSED:
        return told(opened(replace(request, state=state), justification={}, facts={}))
    records = told(opened(request, justification={}, facts={}))
    if state is not State.PENDING:
        end = at + minutes * MINUTE
        decided = None if state is State.SUPERSEDED else end
        after = replace(request, state=state, decided_at=decided or at + MINUTE)
        records.append(a_record(EventKind.REQUEST_APPROVED, end, stream, request=after))
    return records


def unseen_by_anybody(request_id: str) -> list[Record]:
    """Return the records of a request that expired before any card of it stood."""
    (opened_at, ended) = history(request_id, State.EXPIRED, minutes=15)
    return [opened_at, replace(ended, data={"request": dict(ended.data["request"]) | {"outcome_code": EXPIRED_UNSEEN}})]


def summary(records: list[Record], environment: str = HERE) -> WeeklyDigest:
    """Return the digest of the week."""
    return summarise(records, environment=environment, start=START, end=END, head=None)


def test_a_week_is_summed_up_whole():
    """Outcomes, executions, refusals, times, the noisiest agent, pauses and the chain's head, in one value."""
    execution = an_execution(Phase.APPLIED, escalation="esc_1")
    records = [
        *history("esc_1", State.APPROVED, minutes=1),
        a_record(EventKind.EXECUTION_QUEUED, START + MINUTE, execution=an_execution(escalation="esc_1")),
        a_record(EventKind.EXECUTION_APPLIED, START + 2 * MINUTE, execution=execution),
        *history("esc_2", State.DENIED, minutes=3, agent="pruner"),
        *history("esc_3", State.EXPIRED, minutes=15),
        *unseen_by_anybody("esc_5"),
        *history("esc_4", State.REFUSED),
        a_record(EventKind.ANSWER_REFUSED, START, "request:esc_2"),
        *told(engage(a_pause(engaged_at=START), reason="")),
    ]

    digest = summarise(records, environment=HERE, start=START, end=END, head=Head(number=9, chain="f" * 64))

    assert digest == WeeklyDigest(
        environment=HERE,
        start=START,
        end=END,
        asked=4,
        outcomes={"approved": 1, "denied": 1, "expired": 2},
        unseen=1,
        refused=1,
        executions={"applied": 1},
        drift={},
        answers_refused=1,
        median=MINUTE,
        p95=3 * MINUTE,
        noisiest=("scaler", 3),
        pauses=1,
        head=Head(number=9, chain="f" * 64),
    )
    assert digest.expired_share == 1 / 2


def test_a_quiet_week_has_no_made_up_numbers():
    """Nothing asked: zeros where something is counted, none where nothing can be said."""
    assert summary([]) == WeeklyDigest(
        environment=HERE,
        start=START,
        end=END,
        asked=0,
        outcomes={},
        unseen=0,
        refused=0,
        executions={},
        drift={},
        answers_refused=0,
        median=None,
        p95=None,
        noisiest=None,
        pauses=0,
        head=None,
    )
    assert summary([]).expired_share is None
    assert summary(history("esc_1", State.DENIED)).expired_share == 0


HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(State),
        st.integers(-2 * 24 * 60, 9 * 24 * 60).map(lambda minute: START + minute * MINUTE),
        st.integers(1, 3000),
        st.sampled_from(["scaler", "pruner"]),
        st.sampled_from([HERE, "prod-us-1"]),
    ),
    max_size=12,
)


@FEW
@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_counts_add_up_for_any_history(cases, order):
    """Every request that came in during the week has exactly one outcome as of its end, so the outcomes make the sum."""
    streams = [
        history(f"esc_{n}", state, at=at, minutes=minutes, agent=agent, environment=environment)
        for n, (state, at, minutes, agent, environment) in enumerate(cases)
    ]
    order.shuffle(streams)
    ours = [case for case in cases if START <= case[1] < END and case[4] == HERE]
    questions = [case for case in ours if case[0] is not State.REFUSED]

    digest = summary([record for stream in streams for record in stream])

    assert digest.asked == sum(digest.outcomes.values()) == len(questions)
    assert digest.refused == len(ours) - len(questions)
    assert digest.outcomes == Counter(
        state.value if at + minutes * MINUTE < END else "pending" for state, at, minutes, _, _ in questions
    )
    if digest.noisiest is not None:
        assert digest.noisiest[1] == max(Counter(case[3] for case in questions).values())
    if digest.median is not None and digest.p95 is not None:
        assert digest.median <= digest.p95


@pytest.mark.parametrize(("at", "counts"), [(START - TICK, False), (START, True), (END - TICK, True), (END, False)])
def test_a_week_begins_with_its_first_instant_and_ends_before_the_next(at, counts):
    """Requests, refused answers and pauses are each counted in exactly one week."""
    records = [
        *history("esc_1", State.PENDING, at=at),
        a_record(EventKind.ANSWER_REFUSED, at),
        *told(engage(a_pause(engaged_at=at), reason="")),
    ]

    digest = summary(records)

    assert (digest.asked, digest.answers_refused, digest.pauses) == ((1, 1, 1) if counts else (0, 0, 0))


def test_what_happens_after_the_week_is_the_next_ones():
    """An outcome as of the end: what was still pending then is counted as pending, however it ended later."""
    request = asked("esc_1", END - MINUTE)

    digest = summary(
        [*told(opened(request, justification={}, facts={})), *told(expire(request, now=END + 15 * MINUTE, seen=True))]
    )

    assert digest.outcomes == {"pending": 1}


def test_answers_on_another_environments_requests_are_not_counted_here():
    """Two environments, two digests: a click that did not count is in the one whose card it was on."""
    records = [
        *history("esc_1", State.DENIED),
        *history("esc_2", State.DENIED, environment="prod-us-1"),
        a_record(EventKind.ANSWER_REFUSED, START, "request:esc_1"),
        a_record(EventKind.ANSWER_REFUSED, START, "request:esc_2"),
        a_record(EventKind.ANSWER_REFUSED, START, "request:esc_2"),
    ]

    assert (summary(records).answers_refused, summary(records, "prod-us-1").answers_refused) == (1, 2)


def test_an_execution_is_counted_as_it_stood():
    """The last word on an execution counts, and only for requests that this week asked."""
    records = [
        *history("esc_1", State.APPROVED),
        a_record(EventKind.EXECUTION_QUEUED, START + MINUTE, execution=an_execution(escalation="esc_1")),
        a_record(
            EventKind.EXECUTION_VOIDED, START + 2 * MINUTE, execution=an_execution(Phase.VOIDED, escalation="esc_1")
        ),
        a_record(EventKind.EXECUTION_APPLIED, START, execution=an_execution(Phase.APPLIED, escalation="esc_0")),
        a_record(EventKind.EXECUTION_CLAIMED, END, execution=an_execution(Phase.CLAIMED, escalation="esc_1")),
    ]

    assert summary(records).executions == {"voided": 1}


def test_the_time_to_decide_is_that_of_people():
    """Approvals, denials and what was approved before it drifted; silence and second thoughts are nobody's decision."""
    records = [
        record
        for n, (state, minutes) in enumerate(
            [
                (State.APPROVED, 4),
                (State.DENIED, 2),
                (State.SUPERSEDED, 9),
                (State.EXPIRED, 15),
                (State.CANCELLED, 8),
                (State.PENDING, 1),
            ]
        )
        for record in history(f"esc_{n}", state, minutes=minutes)
    ]

    digest = summary(records)

    assert (digest.median, digest.p95) == (2 * MINUTE, 4 * MINUTE)


@pytest.mark.parametrize(
    ("number", "median", "p95"),
    [(1, 1, 1), (2, 1, 2), (3, 2, 3), (19, 10, 19), (20, 10, 19), (21, 11, 20), (40, 20, 38)],
)
def test_percentiles_are_nearest_rank(number, median, p95):
    """The smallest time that at least that share of all do not exceed: always one that really was."""
    records = [record for n in range(number, 0, -1) for record in history(f"esc_{n}", State.DENIED, minutes=n)]

    digest = summary(records)

    assert (digest.median, digest.p95) == (median * MINUTE, p95 * MINUTE)


def test_of_equally_noisy_agents_the_first_by_name_is_told():
    """A tie is broken the same way every week."""
    records = history("esc_1", State.DENIED) + history("esc_2", State.DENIED, agent="pruner")

    assert summary(records).noisiest == ("pruner", 1)


@pytest.mark.parametrize(
    ("now", "zone", "start", "end"),
    [
        (datetime(2026, 11, 23, 9, tzinfo=UTC), UTC, START, END),
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), UTC, START - timedelta(days=7), START),
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), UTC, START, END),
        (
            datetime(2026, 11, 22, 23, 30, tzinfo=UTC),
            BERLIN,
            datetime(2026, 11, 15, 23, tzinfo=UTC),
            datetime(2026, 11, 22, 23, tzinfo=UTC),
        ),
        (
            datetime(2026, 3, 30, 7, tzinfo=UTC),
            BERLIN,
            datetime(2026, 3, 22, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
        ),
        (
            datetime(2026, 10, 26, 8, tzinfo=UTC),
            BERLIN,
            datetime(2026, 10, 18, 22, tzinfo=UTC),
            datetime(2026, 10, 25, 23, tzinfo=UTC),
        ),
    ],
    ids=[
        "utc",
        "a sunday's last minute",
        "a monday's first instant",
        "ahead of utc",
        "an hour shorter",
        "an hour longer",
    ],
)
def test_the_week_before_is_whole_on_the_wall_of_the_zone(now, zone, start, end):
    """T-TIME-09: from a Monday's midnight to the next, also where the clocks change in between."""
    assert week_before(now, zone) == (start, end)
    assert [one.tzinfo for one in week_before(now, zone)] == [UTC, UTC]


@pytest.mark.parametrize(
    ("start", "zone", "name"),
    [
        (START, UTC, "2026-W47"),
        (datetime(2026, 11, 15, 23, tzinfo=UTC), BERLIN, "2026-W47"),
        (datetime(2025, 12, 29, tzinfo=UTC), UTC, "2026-W01"),
        (datetime(2027, 1, 1, tzinfo=UTC), UTC, "2026-W53"),
        (datetime(2026, 2, 2, tzinfo=UTC), UTC, "2026-W06"),
    ],
)
def test_a_week_has_its_iso_name(start, zone, name):
    """Weeks are named as on the zone's wall calendar, over a turn of the year too."""
    assert week_name(start, zone) == name


@pytest.mark.parametrize(
    ("now", "zone", "due"),
    [
        (datetime(2026, 11, 23, 9, tzinfo=UTC), UTC, datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, 59, 59, tzinfo=UTC), UTC, datetime(2026, 11, 16, 9, tzinfo=UTC)),
        (datetime(2026, 11, 29, 23, tzinfo=UTC), UTC, datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, tzinfo=UTC), BERLIN, datetime(2026, 11, 23, 8, tzinfo=UTC)),
        (datetime(2026, 3, 30, 6, 59, tzinfo=UTC), BERLIN, datetime(2026, 3, 23, 8, tzinfo=UTC)),
        (datetime(2026, 3, 30, 7, 0, tzinfo=UTC), BERLIN, datetime(2026, 3, 30, 7, tzinfo=UTC)),
    ],
    ids=["at", "just before", "the evening before the next", "ahead of utc", "over a change of clocks", "after one"],
)
def test_the_last_due_instant_is_on_the_wall_of_the_zone(now, zone, due):
    """A digest that was missed is found by when it was due last: at that instant it is due, just before it was not yet."""
    assert last_due(now, zone, weekday=0, hour=9, minute=0) == due


@pytest.mark.parametrize(("weekday", "day"), [(0, 23), (1, 24), (2, 25), (3, 19), (6, 22)])
def test_any_day_of_the_week_can_be_the_digests(weekday, day):
    """On a Wednesday at noon, the last due day of each choice; the minute counts."""
    now = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)

    assert last_due(now, UTC, weekday=weekday, hour=12, minute=30) == datetime(2026, 11, day, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("execution", "counted"),
    [
        ({"state": Phase.VOIDED, "reason": Reason.DRIFT}, {"before": 1}),
        ({"state": Phase.APPLIED, "effect": Effect.FAILED, "reason": Reason.DRIFT}, {"with": 1}),
        ({"state": Phase.APPLIED, "effect": Effect.DIFFERS}, {"unknown": 1}),
        ({"state": Phase.UNKNOWN, "drift": (Change(path="/x", before=1, after=2),)}, {"unknown": 1}),
        ({"state": Phase.APPLIED, "effect": Effect.UNDONE}, {"since": 1}),
        ({"state": Phase.APPLIED, "effect": Effect.FAILED}, {}),
        ({"state": Phase.VOIDED, "reason": Reason.PAUSED}, {}),
    ],
)
def test_targets_that_are_otherwise_than_approved_are_counted_apart(execution, counted):
    """By when it came, as far as is known."""
    data = an_execution(**{"escalation": "esc_1", **execution})
    records = [
        *history("esc_1", State.APPROVED, minutes=1),
        a_record(EventKind.EXECUTION_APPLIED, START + 2 * MINUTE, execution=data),
    ]

    digest = summary(records)

    assert digest.drift == counted
    assert set(digest.drift) <= set(DRIFTS)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min")],
)
def test_a_duration_is_told_in_two_units_at_most(seconds, said):
    """The same in Slack and at the command line: nobody divides 3,840 seconds at night."""
    assert duration_told(timedelta(seconds=seconds)) == said
