"""Facts: every noun has one plain form, and only that form is read back as the noun."""

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given

from approvals.canonical import decode, encode
from approvals.change.plan import Bound, Change, Evidence, Redacted
from approvals.facts import facts_of, instant_of, instant_text, noun_of
from approvals.identity.names import Group
from approvals.identity.people import People
from approvals.identity.tokens import Token
from approvals.policy.ruling import Ruling
from approvals.workflow.alert import Alert, AlertState
from approvals.workflow.execution import Attempt, Execution
from approvals.workflow.pause import Consent, Pause, Scope
from approvals.workflow.request import Request
from approvals.workflow.votes import Vote
from tests.approvals.strategies import FEW, INSTANTS, anything
from tests.builders import ADA, HOUR, NOON, TICK, a_change, a_pause, a_ruling, an_approver_set

NOUNS = (Alert, Attempt, Bound, Consent, Evidence, Execution, Pause, Request, Ruling, Token, Vote)


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_a_noun_comes_back_from_its_facts_equal(kind):
    """A round trip through facts and canonical bytes loses nothing of any noun that is stored or replayed (I5)."""

    @FEW
    @given(anything(kind))
    def holds(noun):
        assert noun_of(kind, decode(encode(facts_of(noun)))) == noun

    holds()


def test_the_facts_of_a_noun_are_plain_values():
    """An instant is text in UTC, a duration microseconds, a decimal its text, an enumeration its value, a set a sorted list."""
    assert facts_of(a_pause(ended_at=NOON + TICK, ended_epoch=2)) == {
        "id": "pause_01JD00000000000000000000",
        "scope": {"kind": "all", "name": ""},
        "by": ADA,
        "engaged_at": "2026-11-20T12:00:00.000000Z",
        "engaged_epoch": 1,
        "ask_at": None,
        "asked_at": None,
        "ended_at": "2026-11-20T12:00:00.000001Z",
        "ended_epoch": 2,
        "revision": 1,
        "channels": ["T0COUNTERSIGN:C0PROD"],
    }
    assert facts_of([HOUR, Decimal("0.80"), AlertState.FIRING, (True, 1), frozenset({"b", "a"}), {"k": None}]) == [
        3_600_000_000,
        "0.80",
        "firing",
        [True, 1],
        ["a", "b"],
        {"k": None},
    ]
    assert type(facts_of(AlertState.FIRING)) is str


@pytest.mark.parametrize("thing", [0.5, b"a", {1}, object(), Change], ids=lambda thing: repr(thing)[:12])
def test_what_has_no_plain_form_is_refused(thing):
    """A float, bytes or a class cannot slip into an audit event or a fingerprint."""
    with pytest.raises(TypeError, match="has no plain form"):
        facts_of(thing)


@given(INSTANTS)
def test_an_instant_comes_back_to_the_microsecond(at):
    """Nothing of an instant is rounded away, so a deadline is the same after a restart."""
    assert instant_of(instant_text(at)) == at
    assert instant_of(instant_text(at)).tzinfo is UTC


def test_an_instant_is_written_in_utc():
    """Two ways to say one instant have one text."""
    berlin = timezone(HOUR)

    assert instant_text(NOON.astimezone(berlin)) == instant_text(NOON) == "2026-11-20T12:00:00.000000Z"


def test_an_instant_without_a_zone_is_refused():
    """A wall clock's reading is no instant: guessing its zone would move deadlines by hours."""
    with pytest.raises(ValueError, match="needs a zone"):
        instant_text(datetime(2026, 11, 20, 12, 0))  # noqa: DTZ001 - the fault under test


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One field of each type whose facts could be mistaken for another's."""

    names: tuple[str, ...] = ()
    accounts: frozenset[str] = frozenset()
    people: People | None = None
    number: int = 0
    wait: timedelta = timedelta(0)
    share: Decimal = Decimal(0)
    at: datetime = NOON
    state: AlertState = AlertState.FIRING
    value: bool | int | str | Redacted | None = None


WRONG = {
    "text for a list": {"names": "abc"},
    "mapping for a list": {"names": {"a": 1}},
    "number in a list of texts": {"names": [1]},
    "text for a set": {"accounts": "abc"},
    "list for a mapping": {"people": {"names": ["a"]}},
    "text for a noun": {"people": "ada"},
    "bool for a number": {"number": True},
    "text for a number": {"number": "1"},
    "none for a number": {"number": None},
    "bool for a duration": {"wait": True},
    "text for a duration": {"wait": "1"},
    "number for a decimal": {"share": 1},
    "no decimal": {"share": "one"},
    "no instant": {"at": "2026-11-20"},
    "number for an instant": {"at": 1},
    "unknown state": {"state": "sleeping"},
    "list where a value is expected": {"value": [1]},
    "another noun where a value is expected": {"value": {"path": "/a"}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_facts_of_something_else_are_refused(wrong):
    """Stored bytes that are not the facts of the noun are refused, not read as something near it."""
    facts = facts_of(Odd())
    assert isinstance(facts, dict)

    with pytest.raises((ValueError, TypeError, KeyError)):
        noun_of(Odd, {**facts, **wrong})


def test_a_missing_field_is_refused():
    """A default is for whoever makes a noun; a record that lacks a field is not whole."""
    facts = facts_of(a_change())
    assert isinstance(facts, dict)

    with pytest.raises(KeyError):
        noun_of(Change, {key: value for key, value in facts.items() if key != "after"})


@pytest.mark.parametrize("name", [field.name for field in fields(Ruling)])
def test_only_a_field_that_came_later_may_be_missing(name):
    """A ruling of the first release has no tree and is read; one that lacks the people it asks is not read as asking nobody."""
    facts = facts_of(a_ruling())
    assert isinstance(facts, dict)
    lacking = {key: value for key, value in facts.items() if key != name}

    if name == "tree":
        assert noun_of(Ruling, lacking) == replace(a_ruling(), tree=None)
    else:
        with pytest.raises(KeyError):
            noun_of(Ruling, lacking)


@pytest.mark.parametrize("value", [None, True, False, 0, 1, "1", "", Redacted(mac="1")], ids=repr)
def test_a_value_of_several_types_keeps_its_own(value):
    """In a field that takes several types, 1, True and "1" stay three different values."""
    back = noun_of(Change, facts_of(a_change(before=value)))

    assert (back.before, type(back.before)) == (value, type(value))


def test_a_set_of_people_comes_back_as_a_set():
    """Order and repetition mean nothing in a set, so it is written sorted and read back as one."""
    approvers = an_approver_set(groups=(Group("T0X:S0B"), Group("T0X:S0A")))

    assert noun_of(type(approvers), facts_of(approvers)) == approvers
    assert noun_of(Scope, {"kind": "agent", "name": "scaler"}) == Scope(kind="agent", name="scaler")  # type: ignore[arg-type]


@pytest.mark.parametrize("year", [1, 999, 1000, 9999])
def test_an_instant_of_any_year_reads_back(year):
    """An alert may carry any year that a calendar has: its text has four digits for it, and reads back."""
    at = datetime(year, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

    assert instant_text(at) == f"{year:04d}-01-02T03:04:05.000006Z"
    assert instant_of(instant_text(at)) == at
