"""What monitors post: ``POST /v1/alerts/alertmanager``, in the shape of Alertmanager's webhook, version 4.

Alertmanager and Mimir send it as it is documented, Grafana's contact points under version 1 with fields of their own, others
something like it. None of them can correct itself: what is refused is an alarm that nobody hears. So a delivery is refused only
where it is none: no JSON object, or no list of alerts in it. What else is wrong costs the one label, time or alert, is counted
and said on the card, and the rest is taken. Fields that are not known are passed over.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import Field

from approvals.canonical import tagged_hash
from approvals.errors import Malformed
from approvals.masking import masked
from approvals.workflow.alert import AlertReport, AlertState, Cut, Cuts, Delivery, sum_of
from models.payloads.loose_json import Loose
from models.payloads.shapes import TolerantShape, read

LARGEST_BODY: Final = 8 * 1024 * 1024
"""In bytes: 5,000 alerts of a usual cluster, such as a storm is made of. Above it a delivery is refused, and people are told:
what is cut off in the middle has no one reading, and the sender has a setting for it (Alertmanager's ``max_alerts``)."""

MOST_ALERTS: Final = 200
"""Of a delivery, of those that burn; as many that are over are taken beside them, since a sender says that once."""

MOST_TEXTS: Final = 64
"""Labels, and annotations, of one alert; Prometheus users rarely pass 30."""

LONGEST_NAME: Final = 128
LONGEST_LABEL: Final = 2048
LONGEST_ANNOTATION: Final = 8192
"""In characters."""

_LONGEST_SECRET: Final = 16 * 1024
"""In characters: so far beyond a cut is looked for the end of a secret that begins before it."""

_FIRST: Final = ("alertname", "severity", "namespace", "summary", "description")
"""What is kept before all else, wherever it stands."""

_FINGERPRINT: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
"""What may stand on a card as a word of ours. Slack draws what stands between colons, such as a tick."""

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FRACTION: Final = re.compile(r"(\.\d{1,6})\d*", re.ASCII)
_FIRST_YEAR: Final = 1970
"""No monitor was there before it: Go's zero instant, in the year 1, says that there is none."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_STATES: Final = {
    "firing": AlertState.FIRING,
    "alerting": AlertState.FIRING,
    "resolved": AlertState.RESOLVED,
    "ok": AlertState.RESOLVED,
    "normal": AlertState.RESOLVED,
}


class AlertmanagerPayload(TolerantShape):
    """One delivery: alerts of one group, in the shape of Alertmanager's webhook. What else is in it may be missing or odd."""

    alerts: Annotated[
        list[Any],
        Field(
            description="Each an object with labels, annotations, status, startsAt, endsAt and fingerprint, where it has them."
            f" {MOST_ALERTS} that burn and {MOST_ALERTS} that are over are taken; what is not taken is counted, and said on the"
            " card.",
            json_schema_extra={"maxItems": LARGEST_BODY // 2},  # Said, not checked: one more is no reason to refuse.
        ),
    ]


def delivery_of(data: bytes) -> Delivery:
    """Return what the bytes of a delivery say, alert by alert, in their order, and what was cut of it.

    A list of alerts alone is one, too: so Prometheus and vmalert send them where no Alertmanager stands between.

    Raises:
        Malformed: It is no delivery: no list of alerts, in an object or alone, or not one alert in it that can be read.
    """
    return _DeliveryReader(data).delivery()


class _DeliveryReader:
    """One delivery on its way from bytes to reports."""

    def __init__(self, data: bytes) -> None:
        self._loose = Loose(data)
        body = self._loose.value
        if isinstance(body, list):
            body = {"alerts": body}
        self._entries = read(AlertmanagerPayload, body).alerts
        self._body: Mapping[str, Any] = body

    def delivery(self) -> Delivery:
        readable = [entry for entry in self._entries if isinstance(entry, dict)]
        if self._entries and not readable:
            raise Malformed("None of its alerts is an object.", code="no_alert_readable", field="/alerts")
        taken = self._taken(readable)
        reports = tuple(self._report(entry) for entry in taken)
        cut = {
            Cut.ALERTS: len(self._entries) - len(taken) + self._truncated(),
            Cut.CHARACTERS: self._loose.broken,
            Cut.FIELDS: self._loose.doubled[id(self._body)],
        }
        return Delivery(reports=reports, cut=_counted(cut))

    def _taken(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the first of those that burn and the first of those that are over, in their order.

        Without a word of it the later end burns: Prometheus says an end that is still to come of what burns, and it alone.
        """
        burning, over = list[int](), list[int]()
        for place, entry in enumerate(entries):
            (over if _said(entry) is AlertState.RESOLVED else burning).append(place)
        if len(burning) > MOST_ALERTS:
            burning.sort(key=lambda place: _unsaid_end(entries[place]), reverse=True)
        return [entries[place] for place in sorted(burning[:MOST_ALERTS] + over[:MOST_ALERTS])]

    def _truncated(self) -> int:
        """Return how many alerts the sender itself has left out."""
        said = self._body.get("truncatedAlerts")
        return int(said) if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 10 else 0  # noqa: PLR2004 - below 2^31

    def _report(self, entry: Mapping[str, Any]) -> AlertReport:
        labels, cut_labels = self._texts(entry.get("labels"), Cut.LABELS, longest=LONGEST_LABEL)
        annotations, cut_annotations = self._texts(
            entry.get("annotations"), Cut.ANNOTATIONS, longest=LONGEST_ANNOTATION
        )
        starts_at, bad_start = _instant(entry.get("startsAt"))
        ends_at, bad_end = _instant(entry.get("endsAt"))
        return AlertReport(
            group=self._group(labels),
            fingerprint=_fingerprint(entry),
            starts_at=starts_at,
            ends_at=ends_at,
            state=self._state(entry, ends_at),
            labels=labels,
            annotations=annotations,
            cut=sum_of(
                [
                    cut_labels,
                    cut_annotations,
                    _counted({Cut.TIMES: bad_start + bad_end, Cut.FIELDS: self._loose.doubled[id(entry)]}),
                ]
            ),
        )

    def _texts(self, found: object, kind: Cut, *, longest: int) -> tuple[dict[str, str], Cuts]:
        """Return the names and values that can be taken, and how many were left out or shortened."""
        if not isinstance(found, dict):
            return {}, _counted({kind: int(found is not None)})
        left_out, shortened = self._loose.doubled[id(found)], 0
        taken: dict[str, str] = {}
        for name, value in sorted(found.items(), key=_by_weight):
            if len(taken) >= MOST_TEXTS:  # Before anything is done to it: there may be a hundred thousand.
                left_out += 1
                continue
            text = _text(value)
            # Masked here: a name is kept as it is, while the audit trail masks every value.
            short_name, cut_name = _cut(masked(self._loose.clean(name)), LONGEST_NAME)
            if text is None or not name.strip() or short_name in taken:
                left_out += 1
                continue
            taken[short_name], cut_text = _cut(self._loose.clean(text), longest)
            shortened += cut_name or cut_text
        return taken, _counted({kind: left_out, Cut.TEXTS: shortened})

    def _group(self, labels: Mapping[str, str]) -> str:
        """Return the hash of what the sender groups by: its own key, else the labels that it groups by, else the alert's name."""
        key = self._body.get("groupKey")
        if isinstance(key, str) and key.strip():
            return _hash("key", key)
        by = self._body.get("groupLabels")
        if isinstance(by, dict) and by:
            return _hash("labels", _json(by))
        return _hash("alertname", labels.get("alertname", ""))

    def _state(self, entry: Mapping[str, Any], ends_at: datetime | None) -> AlertState | None:
        """Return whether it burns, by its own word; without one by its end, and without that by the delivery's word."""
        said = _said(entry)
        if said is not None or ends_at is not None:
            return said
        return _stated(self._body.get("status")) or _stated(self._body.get("state"))


def _by_weight(item: tuple[str, object]) -> tuple[int, str]:
    name = item[0]
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _text(value: object) -> str | None:
    """Return a value as text; None for what has none: nothing, or something nested. A number came as it was written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _cut(text: str, most: int) -> tuple[str, bool]:
    """Return *text* in at most *most* characters, and whether it was longer. Secrets go first: half of one is not seen as one."""
    if len(text) <= most:
        return text, False
    return masked(text[: most + _LONGEST_SECRET])[: most - 1] + "…", True


def _instant(value: object) -> tuple[datetime | None, bool]:
    """Return the instant that *value* names, if any, and whether it is one that was not understood."""
    if value is None:
        return None, False
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        return None, True
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r"\1", value.upper()))
        at = at.astimezone(UTC) if at.year >= _FIRST_YEAR else at
    except (ValueError, OverflowError):  # the 30th of February; the last hours of the year 9999 west of Greenwich
        return None, True
    return (at, False) if at.year >= _FIRST_YEAR else (None, False)


def _fingerprint(entry: Mapping[str, Any]) -> str:
    """Return the sender's own fingerprint; where it has none that we can keep, a hash of it, or of all its labels.

    What looks like a credential is kept as its hash too: a fingerprint is stored and shown as it is.
    """
    said = entry.get("fingerprint")
    if isinstance(said, str) and said.strip():
        return said if _FINGERPRINT.fullmatch(said) and masked(said) == said else _hash("fingerprint", said)
    return _hash("labels", _json(entry.get("labels")))


def _said(entry: Mapping[str, Any]) -> AlertState | None:
    """Return whether an alert burns, by its own word."""
    return _stated(entry.get("status")) or _stated(entry.get("state"))


def _unsaid_end(entry: Mapping[str, Any]) -> datetime:
    """Return when an alert ends that does not say whether it burns; the end of time for any other, which goes first."""
    return (None if _said(entry) is not None else _instant(entry.get("endsAt"))[0]) or _NEVER


def _stated(said: object) -> AlertState | None:
    return _STATES.get(said.lower()) if isinstance(said, str) else None


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _hash(kind: str, text: str) -> str:
    # As JSON, since it may hold half characters, which no canonical text does.
    return tagged_hash(f"countersign/alert/{kind}/2", json=json.dumps(text))


def _counted(numbers: Mapping[Cut, int]) -> dict[str, int]:
    return {kind.value: int(number) for kind, number in numbers.items() if number}
