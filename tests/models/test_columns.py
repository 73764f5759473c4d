"""Instants in columns: whole microseconds of UTC, and nothing naive."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engine.columns import instant_at, microseconds_of


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_its_column(at):
    """No microsecond is lost, before 1970 or after."""
    assert instant_at(microseconds_of(at)) == at


def test_an_instant_is_stored_in_utc():
    """The zone in which an instant was written does not matter to where it sorts."""
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    assert microseconds_of(noon.astimezone(timezone(timedelta(hours=5)))) == microseconds_of(noon)


def test_a_naive_instant_is_refused():
    """What has no zone is no instant: it never reaches a row."""
    with pytest.raises(ValueError, match="zone"):
        microseconds_of(datetime(2026, 11, 20, 12, 0))  # noqa: DTZ001 - the naive one is the point
