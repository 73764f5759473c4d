"""The values that several statements take, and the one condition that indexes are made for."""

from typing import Final

from sqlalchemy import bindparam, literal_column

from models.engine.columns import INSTANT, NUMBER, TEXT
from models.store.tables import (
    escalations,
)

PENDING: Final = escalations.c.state == literal_column("'pending'")
"""Spelt out, never a parameter: only so does either engine see that the partial index fits."""


NOW: Final = bindparam("now", type_=INSTANT)


LIMIT: Final = bindparam("limit", type_=NUMBER)


KEY: Final = bindparam("key", type_=TEXT)


AGENT: Final = bindparam("agent", type_=TEXT)


SINCE: Final = bindparam("since", type_=INSTANT)


ENVIRONMENT: Final = bindparam("environment", type_=TEXT)
