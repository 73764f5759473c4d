"""A monitor's delivery becomes reports: what cannot be taken is cut, counted and told; refused is only what is no delivery."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.errors import Malformed
from approvals.workflow.alert import AlertState, Delivery
from models.payloads import alertmanager, delivery_of
from models.payloads.alertmanager import MOST_ALERTS

ALERT: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "HighCPU", "namespace": "shop", "severity": "critical"},
    "annotations": {"summary": "CPU above 80%"},
    "startsAt": "2026-11-21T10:00:00.123456789+01:00",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph?g0.expr=up",
    "fingerprint": "f5fc5d1a1e7b0f0a",
}
DELIVERY: dict[str, Any] = {
    "receiver": "countersign",
    "status": "firing",
    "alerts": [
        ALERT,
        ALERT | {"status": "resolved", "startsAt": "2026-11-21T08:00:00Z", "endsAt": "2026-11-21T09:30:00Z"},
    ],
    "groupLabels": {"alertname": "HighCPU"},
    "commonLabels": {"alertname": "HighCPU"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example:9093",
    "version": "4",
    "groupKey": '{}:{alertname="HighCPU"}',
    "truncatedAlerts": 0,
}
GRAFANA: dict[str, Any] = {
    "receiver": "countersign",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Disk", "grafana_folder": "Ops"},
            "annotations": {},
            "startsAt": "2026-11-21T09:00:00+00:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.example/alerting/grafana/abc/view",
            "fingerprint": "57c6d9296de2ad39",
            "silenceURL": "https://grafana.example/alerting/silence/new",
            "dashboardURL": "",
            "panelURL": "",
            "imageURL": None,
            "values": {"B": 44.23943737541908, "C": 1},
            "valueString": "[ var='B' labels={} value=44.2 ]",
        }
    ],
    "groupLabels": {"alertname": "Disk"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "https://grafana.example/",
    "version": "1",
    "truncatedAlerts": 0,
    "title": "[FIRING:1] Disk",
    "state": "alerting",
    "message": "**Firing**",
}


def delivered(body: Any) -> Delivery:
    """Return one delivery, a value of JSON or its text."""
    return delivery_of(body if isinstance(body, bytes) else json.dumps(body).encode())


def with_alert(**changes: Any) -> dict[str, Any]:
    """Return a delivery of one alert that differs by *changes*."""
    return DELIVERY | {"alerts": [ALERT | changes]}


def without(*fields: str) -> dict[str, Any]:
    """Return a delivery of one alert that lacks some fields."""
    return DELIVERY | {"alerts": [{name: value for name, value in ALERT.items() if name not in fields}]}


def test_a_delivery_becomes_reports():
    """Each alert arrives with its texts, its start in UTC, nanoseconds cut to microseconds, and no end in the year 1."""
    first, second = delivered(DELIVERY).reports

    assert (first.fingerprint, first.state, first.labels, first.annotations, first.cut) == (
        "f5fc5d1a1e7b0f0a",
        AlertState.FIRING,
        ALERT["labels"],
        ALERT["annotations"],
        {},
    )
    assert (first.starts_at, first.ends_at) == (datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC), None)
    assert (second.state, second.ends_at) == (AlertState.RESOLVED, datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    assert first.group == second.group


def test_what_grafana_posts_is_taken():
    """Version 1, numbers, addresses that may be null, and no groupKey: the labels that it groups by tell groups apart."""
    taken, other = (delivered(GRAFANA | {"groupLabels": {"alertname": name}}) for name in ("Disk", "CPU"))

    (report,) = taken.reports
    assert (report.fingerprint, report.state, report.starts_at, taken.cut, report.cut) == (
        "57c6d9296de2ad39",
        AlertState.FIRING,
        datetime(2026, 11, 21, 9, tzinfo=UTC),
        {},
        {},
    )
    assert report.group != other.reports[0].group


def test_an_alert_as_it_goes_to_alertmanager_itself_is_taken():
    """Vmalert and Prometheus send neither state nor fingerprint: the end tells whether it burns, the labels which one it is."""
    bare = {
        "labels": {"alertname": "Up", "job": "api"},
        "startsAt": "2026-11-21T09:00:00.5Z",
        "endsAt": "2026-11-21T09:04:00Z",
    }
    first, again, other = delivered(
        {"alerts": [bare, bare | {"labels": {"job": "api", "alertname": "Up"}}, bare | {"labels": {"alertname": "Up"}}]}
    ).reports

    assert (first.state, first.ends_at) == (None, datetime(2026, 11, 21, 9, 4, tzinfo=UTC))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.group == other.group


TAKEN = {
    "a newer field": (DELIVERY | {"tenant": {"a": [1]}}, {}, {}),
    "another version": (DELIVERY | {"version": "5"}, {}, {}),
    "no version": ({name: value for name, value in DELIVERY.items() if name != "version"}, {}, {}),
    "no annotations": (without("annotations"), {}, {}),
    "null annotations": (with_alert(annotations=None), {}, {}),
    "annotations of another kind": (with_alert(annotations=["a"]), {"annotations": 1}, {}),
    "no labels": (without("labels"), {}, {}),
    "no start": (without("startsAt"), {}, {}),
    "a start in the year 1": (with_alert(startsAt="0001-01-01T00:00:00Z"), {}, {}),
    "a start in the year 1 east of Greenwich": (with_alert(startsAt="0001-01-01T00:00:00+02:00"), {}, {}),
    "a number as label": (with_alert(labels={"severity": 1}), {}, {}),
    "a long label": (with_alert(labels={"a": "x" * 2049}), {"texts": 1}, {}),
    "a long name": (with_alert(labels={"x" * 129: "x"}), {"texts": 1}, {}),
    "a long annotation": (with_alert(annotations={"a": "x" * 8193}), {"texts": 1}, {}),
    "65 labels": (with_alert(labels={f"l{n}": "" for n in range(65)}), {"labels": 1}, {}),
    "a nameless label": (with_alert(labels={"": "x", " ": "y", "a": "b"}), {"labels": 2}, {}),
    "null and nested labels": (with_alert(labels={"a": None, "b": {"c": 1}, "d": [], "e": True}), {"labels": 3}, {}),
    "nested annotations": (with_alert(annotations={"a": {"b": {}}}), {"annotations": 1}, {}),
    "a lone surrogate": (with_alert(labels={"a": "\ud800x"}), {}, {"characters": 1}),
    "a NUL": (with_alert(labels={"a": "\0"}), {}, {"characters": 1}),
    "a start without zone": (with_alert(startsAt="2026-11-21T10:00:00"), {"times": 1}, {}),
    "a start on the 30th of February": (with_alert(startsAt="2026-02-30T10:00:00Z"), {"times": 1}, {}),
    "a start in other digits": (with_alert(startsAt="٢026-11-21T10:00:00Z"), {"times": 1}, {}),
    "a start at the end of time": (with_alert(startsAt="9999-12-31T23:59:59-01:00"), {"times": 1}, {}),
    "a start in seconds": (with_alert(startsAt=1795255200), {"times": 1}, {}),
    "alerts that are none": (DELIVERY | {"alerts": [ALERT, None, "x", 3, []]}, {}, {"alerts": 4}),
    "201 alerts": (DELIVERY | {"alerts": [ALERT] * 201}, {}, {"alerts": 1}),
    "alerts that the sender cut": (with_alert() | {"truncatedAlerts": 7}, {}, {"alerts": 7}),
    "an absurd number of them": (with_alert() | {"truncatedAlerts": 10**30}, {}, {}),
    "a number of them in other digits": (with_alert() | {"truncatedAlerts": "٢"}, {}, {}),
    "the same label twice": (
        json.dumps(with_alert()).replace('"alertname": "HighCPU", "names', '"a": "1", "a": "2", "names', 1).encode(),
        {"labels": 1},
        {},
    ),
    "the same field twice": (
        json.dumps(with_alert()).replace('"status": "firing"', '"status": "firing", "status": "resolved"').encode(),
        {"fields": 1},
        {"fields": 1},
    ),
    "5,000 alerts": (DELIVERY | {"alerts": [ALERT] * 5000}, {}, {"alerts": 4800}),
    "a list of alerts alone": ([ALERT, ALERT], {}, {}),
    "bytes that are no UTF-8": (
        json.dumps(with_alert()).replace("shop", "sh*p").encode().replace(b"*", b"\xff"),
        {},
        {"characters": 1},
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(with_alert()).encode(), {}, {}),
    "no number": (json.dumps(with_alert() | {"values": 0}).replace('"values": 0', '"values": NaN').encode(), {}, {}),
    "a deep annotation": (
        json.dumps(with_alert(annotations={"a": 0})).replace('"a": 0', '"a": ' + "[" * 150 + "]" * 150).encode(),
        {"annotations": 1},
        {},
    ),
    "a thousand and one fields": (DELIVERY | {f"f{n}": n for n in range(1001)}, {}, {}),
}


@pytest.mark.parametrize(("body", "of_the_alert", "of_the_delivery"), TAKEN.values(), ids=TAKEN.keys())
def test_what_is_odd_costs_itself_alone(body, of_the_alert, of_the_delivery):
    """Whatever cannot be taken is counted; its neighbours are taken, and the alert is the same alert."""
    delivery = delivered(body)

    assert (delivery.reports[0].cut, delivery.cut) == (of_the_alert, of_the_delivery)
    assert delivery.reports[0].fingerprint == ALERT["fingerprint"]
    assert len(delivery.reports) <= MOST_ALERTS


def test_what_is_over_is_taken_beside_what_burns():
    """A sender says once that an alert is over, so a storm does not push that out; each kind has a bound of its own."""
    burning, over = ALERT | {"status": "firing"}, ALERT | {"status": "resolved"}
    delivery = delivered(DELIVERY | {"alerts": [burning] * 500 + [over] * 201})

    assert [report.state for report in delivery.reports] == [AlertState.FIRING] * 200 + [AlertState.RESOLVED] * 200
    assert delivery.cut == {"alerts": 301}


@pytest.mark.parametrize(
    ("over", "burning"),
    [
        ({"state": "resolved"}, {"state": "firing"}),
        ({"endsAt": "2026-11-21T09:30:00Z"}, {"endsAt": "2026-11-21T10:04:00Z"}),
        ({"endsAt": "2026-11-21T09:30:00Z"}, {"status": "firing"}),
        ({"endsAt": "2026-11-21T09:30:00Z"}, {}),
    ],
)
def test_what_is_over_never_pushes_out_what_burns(over, burning):
    """Whichever way a sender says it, by a word of its own or by the end alone, as Prometheus does, what burns is kept."""
    labels = {"labels": {"alertname": "Old"}}
    delivery = delivered([labels | over] * 300 + [{"labels": {"alertname": "New"}} | burning])

    assert [one.labels["alertname"] for one in delivery.reports].count("New") == 1
    assert delivery.cut["alerts"] in {100, 101}


def test_what_people_read_first_is_kept_first():
    """Of more labels than there is room for, the alert's name and severity stay, wherever they stand."""
    labels = {f"a{n:03}": "" for n in range(100)} | {"severity": "page", "alertname": "Hot"}

    kept = delivered(with_alert(labels=labels)).reports[0]

    assert (kept.labels["alertname"], kept.labels["severity"], len(kept.labels), kept.cut) == (
        "Hot",
        "page",
        64,
        {"labels": 38},
    )


def test_a_long_text_is_cut_with_its_secrets_gone_first():
    """Half of a secret would not be seen as one (I12)."""
    secret = "AKIA" + "A" * 16
    text = delivered(with_alert(annotations={"a": "x" * 8180 + " " + secret})).reports[0].annotations["a"]

    assert len(text) == 8192
    assert "AKIA" not in text


def test_what_is_left_out_costs_nothing(monkeypatch):
    """Of a hundred thousand labels the first 64 are looked into, and the others are counted (I13)."""
    looked_into: list[str] = []

    def looking(text: str) -> str:
        looked_into.append(text)
        return text

    monkeypatch.setattr(alertmanager, "masked", looking)

    report = delivered(with_alert(labels={f"label{number:06d}": "x" for number in range(100_000)})).reports[0]

    assert (len(report.labels), report.cut["labels"]) == (64, 100_000 - 64)
    assert len(looked_into) < 100


def test_a_secret_across_the_cut_is_masked_whole():
    """What comes after the cut is looked at as far as a secret goes, and no further: the rest is only thrown away."""
    token = "eyJhbGciOiJI." + "a1" * 2000 + "." + "b2" * 40
    text = delivered(with_alert(annotations={"a": "x " * 4090 + token + "y" * 100_000})).reports[0].annotations["a"]

    assert text == "x " * 4090 + "[looked lik…"


def test_what_is_kept_as_it_came_holds_no_secret():
    """The names of labels and the fingerprint are stored and shown as they are, so they are masked where they come in (I12)."""
    secret = "AKIA" + "A" * 16
    report = delivered(
        with_alert(labels={secret: "a", "alertname": "b"}, annotations={f"x {secret}": "c"}, fingerprint=secret)
    ).reports[0]

    assert secret not in f"{report}"
    assert report.labels == {"alertname": "b", "[looked like a secret]": "a"}
    assert report.annotations == {"x [looked like a secret]": "c"}


def test_a_fingerprint_draws_nothing_on_a_card():
    """It stands there among words of ours, so it is no picture: Slack draws what stands between colons (I8)."""
    assert ":" not in delivered(with_alert(fingerprint=":white_check_mark:")).reports[0].fingerprint


@pytest.mark.parametrize("said", ["F5FC", "a b", "x" * 65, "é", "\ud800", 17])
def test_a_strange_fingerprint_still_tells_alerts_apart(said):
    """What the sender keeps is what tells them apart, however it is written; nothing of it has to be stored as it came."""
    first, again, other = (
        delivered(with_alert(fingerprint=one, labels=labels)).reports[0].fingerprint
        for one, labels in ((said, {}), (said, {"a": "b"}), ("another", {}))
    )

    assert first == again != other


@pytest.mark.parametrize(
    ("alert", "delivery", "state"),
    [
        ({"status": "RESOLVED"}, {}, AlertState.RESOLVED),
        ({"state": "alerting"}, {}, AlertState.FIRING),
        ({"state": "ok"}, {}, AlertState.RESOLVED),
        ({"status": "pending"}, {}, None),
        ({}, {"status": "resolved"}, AlertState.RESOLVED),
        ({}, {"state": "alerting"}, AlertState.FIRING),
        ({"endsAt": "2026-11-21T10:00:00Z"}, {"status": "resolved"}, None),
        ({"status": 7}, {"status": []}, None),
    ],
    ids=[
        "in capitals",
        "Grafana's word",
        "Grafana's other word",
        "unknown",
        "the delivery's",
        "its other",
        "its end",
        "none",
    ],
)
def test_whether_it_burns_is_read_from_what_there_is(alert, delivery, state):
    """An alert's own word, or else its end, or else that of the delivery."""
    (report,) = delivered({"alerts": [{"labels": {"alertname": "Up"}} | alert]} | delivery).reports

    assert report.state is state


NO_DELIVERIES = {
    "no object": (b"17", "wrong_type"),
    "a text": (b'"x"', "wrong_type"),
    "no alerts": (b'{"version": "4"}', "missing_field"),
    "alerts of another kind": (b'{"alerts": {}}', "wrong_type"),
    "no alert among them": (b'{"alerts": [1, null]}', "no_alert_readable"),
    "no JSON": (b"{", "not_json"),
    "nothing": (b"", "not_json"),
    "too deep": (b'{"alerts": ' + b"[" * 201 + b"]" * 201 + b"}", "too_deep"),
}


@pytest.mark.parametrize(("data", "code"), NO_DELIVERIES.values(), ids=NO_DELIVERIES.keys())
def test_what_is_no_delivery_is_refused(data, code):
    """No object, or no list of alerts in it: there is nothing to show."""
    with pytest.raises(Malformed) as caught:
        delivery_of(data)

    assert caught.value.code == code


def test_no_alerts_at_all_are_a_delivery_of_none():
    """As some senders test a contact point."""
    assert delivered({"alerts": []}) == Delivery(reports=())
