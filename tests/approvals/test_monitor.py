"""Monitors: how refused deliveries are counted, and when people hear of them."""

from datetime import timedelta

import pytest

from approvals.identity.tokens import TokenKind
from approvals.workflow.monitor import HOUR, RefusedDeliveries, is_news, refused
from tests.builders import CHANNEL, MINUTE, NOON, a_token

MONITOR = a_token(kind=TokenKind.ALERTMANAGER, holder="prometheus", environments=frozenset({"prod-eu-1"}))
FIRST = RefusedDeliveries(
    id="refused_1",
    environment="prod-eu-1",
    monitor="prometheus",
    channel=CHANNEL,
    follows="",
    token=MONITOR.id,
    codes={"too_large": 1},
    since=NOON,
    last_at=NOON,
)


def one_more(last, code="too_large", now=NOON + MINUTE):
    """Return what follows *last*."""
    return refused(last, new_id="refused_2", token=MONITOR, channel=CHANNEL, code=code, now=now)


def test_the_first_begins_a_row():
    """It names the monitor, not the token alone."""
    assert refused(None, new_id="refused_1", token=MONITOR, channel=CHANNEL, code="too_large", now=NOON) == FIRST


def test_what_follows_within_an_hour_is_counted_with_it():
    """By code, in the order of their names; the hour is over at its end (people are told once in it)."""
    last = NOON + HOUR - timedelta(microseconds=1)
    after = one_more(one_more(FIRST, "not_json"), now=last)

    assert (after.id, after.codes, after.count, after.revision) == ("refused_1", {"not_json": 1, "too_large": 2}, 3, 3)
    assert (after.since, after.last_at) == (NOON, last)


def test_after_an_hour_a_new_row_follows():
    """It names the one before, so that two writers cannot both begin one."""
    after = one_more(FIRST, now=NOON + HOUR)

    assert (after.id, after.follows, after.codes, after.revision) == ("refused_2", "refused_1", {"too_large": 1}, 1)


@pytest.mark.parametrize(("count", "news"), [(1, True), (2, True), (3, False), (4, True), (96, False), (128, True)])
def test_a_card_is_drawn_again_at_each_doubling(count, news):
    """A flood of refusals is no flood of updates."""
    assert (
        is_news(
            RefusedDeliveries(
                **{**_fields(FIRST), "codes": {"too_large": count - 1, "x": 1} if count > 1 else {"x": 1}}
            )
        )
        is news
    )


def _fields(row):
    return {name: getattr(row, name) for name in row.__slots__}
