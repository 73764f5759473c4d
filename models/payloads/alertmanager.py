"""Alertmanager's webhook, version 4: ``POST /v1/alerts/alertmanager``.

Only what is shown is read. Unlike an agent, Alertmanager is not ours to release: it adds fields within version 4, and an
upgrade of the monitor must not silence its alarms, so fields not known here are passed over. What is read is checked as
strictly as everything else. A 4xx is not sent again, so the limits are generous.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from approvals.alert import AlertState, Report
from models.payloads.shapes import NOT_BLANK, Instant, TolerantShape

LARGEST_BODY: Final = 1024 * 1024
"""In bytes: 200 alerts with 5 KiB each."""

MOST_ALERTS: Final = 200
"""A delivery; the receiver's ``max_alerts`` keeps Alertmanager below it."""

MOST_TEXTS: Final = 64
"""Labels, and annotations, of one alert; Prometheus users rarely pass 30."""

_Name = Annotated[str, Field(min_length=1, max_length=128), NOT_BLANK]
_Label = Annotated[str, Field(max_length=2048)]
_Annotation = Annotated[str, Field(max_length=8192)]


class AlertPayload(TolerantShape):
    """One alert, firing or resolved."""

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[_Name, _Label], Field(max_length=MOST_TEXTS)]
    annotations: Annotated[dict[_Name, _Annotation], Field(max_length=MOST_TEXTS)]
    starts_at: Annotated[Instant, Field(alias="startsAt")]
    fingerprint: Annotated[str, Field(max_length=16, pattern="^[0-9a-f]{16}$")]


class AlertmanagerPayload(TolerantShape):
    """One delivery: some alerts of one group."""

    version: Literal["4"]
    alerts: Annotated[list[AlertPayload], Field(max_length=MOST_ALERTS)]


def reports_of(payload: AlertmanagerPayload) -> tuple[Report, ...]:
    """Return what the delivery says, alert by alert, in its order."""
    return tuple(
        Report(
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at,
            state=AlertState(alert.status),
            labels=alert.labels,
            annotations=alert.annotations,
        )
        for alert in payload.alerts
    )
