"""Alerts: a delivery of a monitor becomes rows and cards, repeats are folded, a resolution is noted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.intake.deps import Rates
from bot.intake.gate.rates import Rate
from tests.bot.intake.support import ALERTS, MONITOR, a_delivery, open_door
from tests.builders import CHANNEL
from tests.waiting import wait_until

FIRING = {"new": 1, "changed": 0, "folded": 0, "cut": {}}
FOLDED = {"new": 0, "changed": 0, "folded": 1, "cut": {}}


def _alerts(door):
    with door.world.store.reading() as reading:
        return [
            tuple(row)
            for row in reading.connection.exec_driver_sql("SELECT environment, channel, state, revision FROM alerts")
        ]


def _cards(door):
    with door.world.store.reading() as reading:
        return [
            tuple(row)
            for row in reading.connection.exec_driver_sql(
                "SELECT channel, wanted, shown FROM cards WHERE kind = 'alert' ORDER BY subject"
            )
        ]


def test_a_firing_alert_is_stored_and_wants_a_card(door):
    """One row in the token's environment, one card in its channel, and nothing that anybody could approve."""
    answer = door.call("POST", ALERTS, a_delivery(), token=MONITOR)

    assert (answer.status, answer.json) == (200, FIRING)
    assert _alerts(door) == [("prod-eu-1", CHANNEL, "firing", 1)]
    assert _cards(door) == [(CHANNEL, 1, 0)]
    assert door.call("GET", "/v1/escalations").json["escalations"] == []


def test_a_repeat_is_folded(door):
    """The same alert again changes nothing: no row, no card, no event."""
    door.call("POST", ALERTS, a_delivery(), token=MONITOR)
    before = door.events()

    answer = door.call("POST", ALERTS, a_delivery(annotations={"summary": "Still hot."}), token=MONITOR)

    assert answer.json == {"new": 0, "changed": 0, "folded": 1, "cut": {}}
    assert (door.events(), _cards(door)) == (before, [(CHANNEL, 1, 0)])


def test_a_resolution_is_noted_once(door):
    """It changes the one row and its card; a late *firing* does not bring it back."""
    door.call("POST", ALERTS, a_delivery(), token=MONITOR)

    resolved = [door.call("POST", ALERTS, a_delivery("resolved"), token=MONITOR).json for _ in range(2)]
    late = door.call("POST", ALERTS, a_delivery(), token=MONITOR).json

    assert resolved == [
        {"new": 0, "changed": 1, "folded": 0, "cut": {}},
        {"new": 0, "changed": 0, "folded": 1, "cut": {}},
    ]
    assert late == {"new": 0, "changed": 0, "folded": 1, "cut": {}}
    assert _alerts(door) == [("prod-eu-1", CHANNEL, "resolved", 2)]


def test_what_burns_again_rings_again(door):
    """After its end, a later start is another time; while it burns, a later start is a twin's clock."""
    twin = a_delivery(startsAt="2026-11-20T11:00:03Z")
    over = a_delivery("resolved", endsAt="2026-11-20T11:20:00Z")
    answers = [
        door.call("POST", ALERTS, body, token=MONITOR).json
        for body in (a_delivery(), twin, over, a_delivery(startsAt="2026-11-20T11:30:00Z"))
    ]

    assert answers == [FIRING, FOLDED, {"new": 0, "changed": 1, "folded": 0, "cut": {}}, FIRING]
    assert _cards(door) == [(CHANNEL, 2, 0), (CHANNEL, 1, 0)]


def test_what_burns_again_rings_again_though_its_end_was_lost(door):
    """A monitor that restarts between the end and the next start never says that it was over; the old card says so then."""
    answers = [
        door.call("POST", ALERTS, body, token=MONITOR).json
        for body in (a_delivery(), a_delivery(startsAt="2026-11-20T12:00:01Z"), a_delivery("resolved"))
    ]

    assert answers[:2] == [FIRING, FIRING]
    assert sorted(row[2:] for row in _alerts(door)) == [("firing", 1), ("resolved", 2)]
    assert _cards(door) == [(CHANNEL, 2, 0), (CHANNEL, 1, 0)]


def test_one_of_a_group_that_burns_again_stays_on_its_card(door):
    """Where others of the group still burn, its card is burning already."""
    (alert,) = a_delivery()["alerts"]
    other = {**a_delivery(), "alerts": [alert, {**alert, "fingerprint": "another"}]}
    again = a_delivery(startsAt="2026-11-20T12:00:01Z")

    answers = [door.call("POST", ALERTS, body, token=MONITOR).json["new"] for body in (other, again)]

    assert answers == [2, 1]
    assert sorted(row[2] for row in _alerts(door)) == ["firing", "firing", "resolved"]
    assert _cards(door) == [(CHANNEL, 2, 0)]


def test_what_a_monitor_sends_beside_the_known_is_passed_over(door):
    """An upgrade of the monitor does not silence its alarms."""
    assert door.call("POST", ALERTS, {**a_delivery(), "notificationReason": "x"}, token=MONITOR).status == 200


def test_a_storm_in_one_delivery_is_cut_and_said(door):
    """Five thousand alerts of the usual size are a delivery: as many as can be shown are taken, the rest are counted."""
    (alert,) = a_delivery(annotations={"description": "x" * 300})["alerts"]
    storm = {**a_delivery(), "alerts": [{**alert, "fingerprint": f"f{number}"} for number in range(5000)]}

    answer = door.call("POST", ALERTS, storm, token=MONITOR)

    assert (answer.status, answer.json) == (200, {"new": 200, "changed": 0, "folded": 0, "cut": {"alerts": 4800}})
    assert _cards(door) == [(CHANNEL, 1, 0)]


def test_a_real_alertmanager_is_understood(world, hand_clock, start_alertmanager):
    """What Debian's Alertmanager sends is taken: firing, its repeats, the resolution."""
    with open_door(world, hand_clock) as door:
        alertmanager = start_alertmanager(_sending_to(door.port))
        began = datetime.now(UTC) - timedelta(minutes=5)
        hot = {"labels": {"alertname": "Hot", "shop": "é"}, "annotations": {"summary": "It is hot."}}

        alertmanager.post_alerts([{**hot, "startsAt": began.isoformat(), "endsAt": _in(hours=1)}])
        wait_until(
            lambda: [row[2:] for row in _alerts(door)] == [("firing", 1)], what="the alert is stored", within_s=30
        )
        wait_until(lambda: _folded(door) >= 1, what="a repeat came and was folded", within_s=30)
        assert _cards(door) == [(CHANNEL, 1, 0)]

        alertmanager.post_alerts([{**hot, "startsAt": began.isoformat(), "endsAt": _in(seconds=-1)}])
        wait_until(lambda: [row[2:] for row in _alerts(door)] == [("resolved", 2)], what="it resolved", within_s=30)

    kinds = [event["kind"] for event in door.events() if event["stream"] == "alert" or "alert" in event["kind"]]
    assert kinds == ["alert.firing", "alert.group_changed", "alert.resolved", "alert.group_resolved"]
    with world.store.reading() as reading:
        (subject,) = reading.connection.exec_driver_sql("SELECT id FROM alerts").scalars()
        assert reading.texts(subject)["label shop"] == "é"


def test_a_monitor_that_is_too_fast_is_told_to_come_again(world, hand_clock):
    """It would drop for good what was answered 429, and with it the end of an alarm: 503 is what makes it send once more."""
    rates = Rates(calls=Rate(per_second=0.01, burst=1))
    with open_door(world, hand_clock, rates=rates, seconds=lambda: 0.0) as door:
        taken, held = (door.call("POST", ALERTS, a_delivery(), token=MONITOR) for _ in range(2))

    assert (taken.status, held.status, held.code, held.headers["retry-after"]) == (200, 503, "too_many_calls", "100")


def test_alertmanager_sends_again_what_came_too_fast(world, hand_clock, start_alertmanager):
    """The real one: two groups at once, one of which finds no room, and both are shown in the end."""
    rates = Rates(calls=Rate(per_second=1, burst=1))
    with open_door(world, hand_clock, rates=rates) as door:
        config = _sending_to(door.port)
        config["route"] |= {"group_by": ["alertname"], "group_interval": "20s", "repeat_interval": "1h"}
        began = datetime.now(UTC) - timedelta(minutes=5)
        alerts = [
            {"labels": {"alertname": name}, "startsAt": began.isoformat(), "endsAt": _in(hours=1)} for name in "abc"
        ]

        start_alertmanager(config).post_alerts(alerts)
        wait_until(lambda: len(_alerts(door)) == len(alerts), what="all are stored", within_s=15)


def _sending_to(port):
    return {
        "route": {
            "receiver": "countersign",
            "group_wait": "10ms",
            "group_interval": "200ms",
            "repeat_interval": "400ms",
        },
        "receivers": [
            {
                "name": "countersign",
                "webhook_configs": [
                    {
                        "url": f"http://127.0.0.1:{port}{ALERTS}",
                        "send_resolved": True,
                        "max_alerts": 200,
                        "http_config": {"authorization": {"type": "Bearer", "credentials": MONITOR}},
                    }
                ],
            }
        ],
    }


def _in(**duration):
    return (datetime.now(UTC) + timedelta(**duration)).isoformat()


def _folded(door):
    """Return how many deliveries beside the first were answered 200."""
    text = door.metrics.text().decode()
    name = 'countersign_http_requests_total{method="POST",route="/v1/alerts/alertmanager",status="200"} '
    return float(text.partition(name)[2].partition("\n")[0] or 0) - 1


def test_an_environment_that_the_policy_dropped_is_a_no(door):
    """The monitor's token outlives its environment: 403, which the contract names, and nothing is stored."""
    policies = door.world.policies
    policies.policy = replace(policies.policy, environments={})

    answer = door.call("POST", ALERTS, a_delivery(), token=MONITOR)

    assert (answer.status, answer.code) == (403, "unknown_environment")
    assert _alerts(door) == []
