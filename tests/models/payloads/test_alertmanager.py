"""A monitor's delivery becomes reports; what Alertmanager adds one day is passed over, what we read is checked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.alert import AlertState, Report
from approvals.errors import Malformed
from models.payloads import AlertmanagerPayload, read, reports_of
from models.strict_json import parse

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


def reports_from(body):
    """Return the reports of one delivery, a dict."""
    return reports_of(read(AlertmanagerPayload, parse(json.dumps(body).encode())))


def test_a_delivery_becomes_reports():
    """Each alert arrives with its labels and its start in UTC, nanoseconds cut to microseconds."""
    texts: dict[str, Any] = {"labels": ALERT["labels"], "annotations": ALERT["annotations"]}
    expected = (
        Report(
            fingerprint="f5fc5d1a1e7b0f0a",
            starts_at=datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC),
            state=AlertState.FIRING,
            **texts,
        ),
        Report(
            fingerprint="f5fc5d1a1e7b0f0a",
            starts_at=datetime(2026, 11, 21, 8, tzinfo=UTC),
            state=AlertState.RESOLVED,
            **texts,
        ),
    )

    assert reports_from(DELIVERY) == expected


def test_what_a_newer_alertmanager_adds_is_passed_over():
    """An upgrade of the monitor must not silence its alarms."""
    newer = DELIVERY | {"tenant": {"a": [1]}, "alerts": [alert | {"silenced": None} for alert in DELIVERY["alerts"]]}

    assert reports_from(newer) == reports_from(DELIVERY)


def with_alert(**changes):
    """Return a delivery of one alert that differs by *changes*."""
    return DELIVERY | {"alerts": [ALERT | changes]}


FAULTS = {
    "another version": (DELIVERY | {"version": "5"}, "unknown_value", "/version"),
    "no alerts": ({"version": "4"}, "missing_field", "/alerts"),
    "201 alerts": (DELIVERY | {"alerts": [ALERT] * 201}, "too_long", "/alerts"),
    "another state": (with_alert(status="pending"), "unknown_value", "/alerts/0/status"),
    "a label as number": (with_alert(labels={"severity": 1}), "wrong_type", "/alerts/0/labels/severity"),
    "a long label": (with_alert(labels={"a": "x" * 2049}), "too_long", "/alerts/0/labels/a"),
    "a long annotation": (with_alert(annotations={"a": "x" * 8193}), "too_long", "/alerts/0/annotations/a"),
    "65 labels": (with_alert(labels={f"l{n}": "" for n in range(65)}), "too_long", "/alerts/0/labels"),
    "a fingerprint of ours": (with_alert(fingerprint="F5FC"), "wrong_format", "/alerts/0/fingerprint"),
    "a start without zone": (with_alert(startsAt="2026-11-21T10:00:00"), "wrong_format", "/alerts/0/startsAt"),
    "a start on the 30th of February": (
        with_alert(startsAt="2026-02-30T10:00:00Z"),
        "wrong_format",
        "/alerts/0/startsAt",
    ),
    "a start in other digits": (with_alert(startsAt="٢026-11-21T10:00:00Z"), "wrong_format", "/alerts/0/startsAt"),
    "a start before the first instant": (
        with_alert(startsAt="0001-01-01T00:00:00+02:00"),
        "wrong_format",
        "/alerts/0/startsAt",
    ),
    "a start in seconds": (with_alert(startsAt=1795255200), "wrong_type", "/alerts/0/startsAt"),
}


@pytest.mark.parametrize(("body", "code", "field"), FAULTS.values(), ids=FAULTS.keys())
def test_what_is_read_is_checked(body, code, field):
    """A fault in what we show is refused with its place, however tolerant we are of the rest."""
    with pytest.raises(Malformed) as caught:
        reports_from(body)

    assert (caught.value.code, caught.value.field) == (code, field)


def test_the_bounds_include_their_ends():
    """200 alerts, 64 labels and the longest texts are taken."""
    labels = {f"l{n}": "" for n in range(63)} | {"x" * 128: "x" * 2048}

    assert len(reports_from(DELIVERY | {"alerts": [ALERT] * 200})) == 200
    assert reports_from(with_alert(labels=labels, annotations={"a": "x" * 8192}))[0].labels == labels
