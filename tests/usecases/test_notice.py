"""Notice: what monitors report becomes cards that inform; repeats fold, and a delivery that cannot be placed is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.alert import AlertState, Report
from approvals.errors import OutOfScope
from approvals.tokens import TokenKind
from approvals.usecases.notice import Noticed
from tests.builders import NOON, a_policy
from tests.world import World


def a_report(state: AlertState = AlertState.FIRING, fingerprint: str = "f1") -> Report:
    """Return a report of high CPU."""
    return Report(
        fingerprint=fingerprint,
        starts_at=NOON,
        state=state,
        labels={"alertname": "HighCpu"},
        annotations={"summary": "CPU is at 87 %"},
    )


@pytest.fixture
def world(store) -> World:
    """The product over a store of each kind."""
    return World(store).settled()


@pytest.fixture
def monitor(world):
    """A monitor's token."""
    return world.admit.create(
        "cst_monitor",
        kind=TokenKind.ALERTMANAGER,
        holder="alertmanager",
        environments=["prod-eu-1"],
        namespaces=(),
        good_for=timedelta(days=1),
        by="os:olga",
    )


def test_a_delivery_is_taken_once_and_its_resolution_noted_once(world, monitor):
    """New, repeated, resolved, resolved again: one alert, and each change of it once (T-RACE-08)."""
    deliveries = [[a_report(), a_report(fingerprint="f2")], [a_report()], *([[a_report(AlertState.RESOLVED)]] * 2)]

    outcomes = [world.notice(reports, monitor) for reports in deliveries]

    assert outcomes == [
        Noticed(new=2, changed=0, folded=0),
        Noticed(new=0, changed=0, folded=1),
        Noticed(new=0, changed=1, folded=0),
        Noticed(new=0, changed=0, folded=1),
    ]


def test_an_environment_that_the_policy_dropped_is_refused(world, monitor):
    """The monitor's token outlives its environment: the delivery is refused in words, and nothing is stored."""
    world.policies.policy = replace(a_policy(), environments={})

    with pytest.raises(OutOfScope) as refused:
        world.notice([a_report()], monitor)

    assert refused.value.code == "unknown_environment"
    with world.store.reading() as reading:
        assert reading.alert(monitor.id, "f1", NOON) is None
