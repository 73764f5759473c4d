"""What is asked about alerts, their groups and refused deliveries."""

from typing import Final

from sqlalchemy import ColumnElement, bindparam, literal_column

from models.engine.columns import TEXT
from models.store.mapping import (
    ALERT,
    ALERT_GROUP,
    REFUSED_DELIVERIES,
)
from models.store.queries.values import ENVIRONMENT, KEY, LIMIT, SINCE
from models.store.tables import (
    alert_groups,
    alerts,
    refused_deliveries,
)

_IN_A_GROUP: Final[ColumnElement[bool]] = literal_column("alert_group IS NOT NULL")
"""Spelt out as in the index: a double of before groups is on no card and is never the last time that it burnt."""


LAST_ALERT: Final = ALERT.prepared(
    ALERT.select()
    .where(alerts.c.environment == ENVIRONMENT, alerts.c.fingerprint == KEY, _IN_A_GROUP)
    .order_by(alerts.c.starts_at.desc())
    .limit(1)
)


OPEN_GROUP: Final = ALERT_GROUP.prepared(
    ALERT_GROUP.select().where(
        alert_groups.c.environment == ENVIRONMENT, alert_groups.c.key == KEY, literal_column("state = 'firing'")
    )
)


GROUP: Final = ALERT_GROUP.prepared(ALERT_GROUP.select().where(alert_groups.c.id == KEY))


ALERTS_IN: Final = ALERT.prepared(
    ALERT.select()
    .where(alerts.c.alert_group == KEY)
    .order_by(alerts.c.state, alerts.c.starts_at.desc(), alerts.c.id)
    .limit(LIMIT)
)


LAST_REFUSED: Final = REFUSED_DELIVERIES.prepared(
    REFUSED_DELIVERIES.select()
    .where(
        refused_deliveries.c.environment == ENVIRONMENT,
        refused_deliveries.c.monitor == bindparam("monitor", type_=TEXT),
        refused_deliveries.c.channel == bindparam("channel", type_=TEXT),
    )
    .order_by(refused_deliveries.c.since.desc())
    .limit(1)
)


REFUSED_CALLED: Final = REFUSED_DELIVERIES.prepared(REFUSED_DELIVERIES.select().where(refused_deliveries.c.id == KEY))


REFUSED_LATELY: Final = REFUSED_DELIVERIES.prepared(
    REFUSED_DELIVERIES.select()
    .where(refused_deliveries.c.last_at > SINCE)
    .order_by(refused_deliveries.c.last_at.desc())
    .limit(LIMIT)
)
