"""Refusals on record: known callers one by one and bounded, strangers as one event."""

from dataclasses import replace

import pytest

from approvals.errors import Unavailable
from bot.intake.deps import Rates
from bot.intake.gate import refusals
from bot.intake.gate.rates import Rate
from tests.bot.intake.support import ALERTS, ESCALATIONS, MONITOR, OTHER_AGENT, events_in, open_door
from tests.waiting import wait_until

TOKEN_ID = "tok_01JD0000000000000000000000"


def _told(store):
    return [event["data"]["counts"] for event in events_in(store) if event["kind"] == "intake.refusals_counted"]


def _refusals(store):
    return [event for event in events_in(store) if event["kind"] == "intake.refused"]


def test_a_known_callers_refusal_is_one_whole_event(door):
    """Who, which token, which code, which place: and nothing of what was sent."""
    door.call("POST", ESCALATIONS, b'{"rationale": 1, "rationale": 2}', key="key-1")

    (event,) = _refusals(door.world.store)
    assert event == {
        "tag": "countersign/event/2",
        "kind": "intake.refused",
        "stream": "agent:scaler",
        "sequence": 4,
        "actor": f"token:{TOKEN_ID}",
        "at": "2026-11-20T12:00:00.000000Z",
        "data": {"token": TOKEN_ID, "code": "duplicate_key", "field": "/rationale"},
        "private": {},
    }


REFUSED = {
    "no such path": ("GET", "/v1/nothing", None, "no_such_path"),
    "no such method": ("DELETE", ESCALATIONS, None, "method_not_allowed"),
    "no key": ("POST", ESCALATIONS, b"{}", "idempotency_key_missing"),
    "no such escalation": ("GET", f"{ESCALATIONS}/esc_1", None, "not_found"),
    "unknown parameter": ("GET", f"{ESCALATIONS}?x=1", None, "unknown_parameter"),
    "unwanted body": ("GET", ESCALATIONS, b"{}", "body_not_allowed"),
}


@pytest.mark.parametrize(("method", "path", "body", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_every_refusal_of_a_known_caller_is_on_record(door, method, path, body, code):
    """Whatever the reason, who asked is known and the refusal is written down before it is answered."""
    door.call(method, path, body)

    assert [event["data"]["code"] for event in _refusals(door.world.store)] == [code]


def test_a_monitors_refusal_is_on_record_under_its_name(door):
    """A monitor is a known caller, too."""
    door.call("POST", ALERTS, b"{}", token=MONITOR)

    assert [event["stream"] for event in _refusals(door.world.store)] == ["agent:prometheus"]


def test_a_stored_escalation_is_its_own_record(door):
    """A refusal by policy is stored as an escalation and not a second time."""
    door.world.policies.policy = _without_rules(door.world.policies.policy)

    door.escalate()

    assert [event["kind"] for event in door.events()][-1] == "request.refused"
    assert _refusals(door.world.store) == []


def test_strangers_are_told_as_one_event_by_code_and_source(world, hand_clock):
    """However many they were: one event a minute."""
    rates = Rates(failures=Rate(per_second=0.001, burst=3))
    with open_door(world, hand_clock, rates=rates) as door:
        for number in range(5):
            door.call("GET", ESCALATIONS, token=f"cst_{number}")

    assert _told(world.store) == [{"unauthorised 127.0.0.1": 3, "too_many_failures 127.0.0.1": 2}]


def test_what_strangers_did_is_told_while_the_server_runs(world, hand_clock, monkeypatch):
    """The minute's tick tells it; nobody has to stop the server for it."""
    monkeypatch.setattr(refusals, "EVERY_S", 0.05)
    with open_door(world, hand_clock) as door:
        door.call("GET", ESCALATIONS, token="cst_unknown")

        wait_until(lambda: _told(world.store) == [{"unauthorised 127.0.0.1": 1}], what="the count is told")


def test_what_is_not_told_yet_is_told_when_the_server_stops(world, hand_clock):
    """Stopping loses no count; a minute without refusals tells nothing."""
    with open_door(world, hand_clock) as door:
        door.call("GET", ESCALATIONS, token=None)
    with open_door(world, hand_clock):
        pass

    assert _told(world.store) == [{"unauthorised 127.0.0.1": 1}]


def test_an_agents_refusals_are_bounded_and_none_is_lost(world, hand_clock):
    """I13: above the bound they are counted instead, and another agent still gets its own events."""
    rates = Rates(refusals=Rate(per_second=0.001, burst=2))
    with open_door(world, hand_clock, rates=rates) as door:
        for token in ("cst_secret",) * 5 + (OTHER_AGENT,):
            door.call("GET", f"{ESCALATIONS}?x=1", token=token)

    assert [event["stream"] for event in _refusals(world.store)] == ["agent:pruner", "agent:scaler", "agent:scaler"]
    assert _told(world.store) == [{"unknown_parameter agent:scaler": 3}]


def test_counts_are_bounded(world, hand_clock, monkeypatch):
    """I13: what finds no place of its own is counted together."""
    monkeypatch.setattr(refusals, "MOST_COUNTS", 1)
    with open_door(world, hand_clock) as door:
        door.call("GET", ESCALATIONS, token=None)
        door.call("BREW", "/healthz", token=None)
        door.call("GET", "/nothing", token=None)
        door.call("GET", "/nothing", token=None)

    assert _told(world.store) == [
        {"unauthorised 127.0.0.1": 1, "method_not_allowed elsewhere": 1, "no_such_path elsewhere": 2}
    ]


class Unwritable:
    """Stands in for a store's ``writing`` while it takes nothing."""

    def __init__(self):
        self.attempts = 0

    def __call__(self, lane=None):
        """Refuse."""
        self.attempts += 1
        raise Unavailable("The store cannot be reached.")


def test_a_refusal_that_cannot_be_written_is_counted(world, hand_clock, monkeypatch):
    """While the store takes nothing, refusals are answered all the same, and told once it does."""
    monkeypatch.setattr(refusals, "EVERY_S", 0.05)
    unwritable = Unwritable()
    with open_door(world, hand_clock) as door:
        with monkeypatch.context() as patch:
            patch.setattr(world.store, "writing", unwritable)
            answer = door.call("GET", f"{ESCALATIONS}?x=1")
            wait_until(lambda: unwritable.attempts > 3, what="telling was tried again")
        wait_until(lambda: _told(world.store), what="it is told")

    assert answer.status == 400
    assert _told(world.store) == [{"unknown_parameter agent:scaler": 1}]


def test_a_fault_does_not_end_the_telling(world, hand_clock, monkeypatch):
    """Whatever goes wrong once, the counts are kept and told at another minute."""
    monkeypatch.setattr(refusals, "EVERY_S", 0.05)
    attempts = []

    def breaks():
        attempts.append(1)
        raise RuntimeError("on purpose")

    with open_door(world, hand_clock) as door:
        with monkeypatch.context() as patch:
            patch.setattr(world.store, "writing", breaks)
            door.call("GET", ESCALATIONS, token="cst_unknown")
            wait_until(lambda: len(attempts) > 1, what="telling was tried again")
        wait_until(lambda: _told(world.store) == [{"unauthorised 127.0.0.1": 1}], what="it is told")


def _without_rules(policy):
    return replace(policy, rules=())
