"""The clock, ids and secrets: the only place that draws them."""

import re
from datetime import UTC

from bot import clock


def test_ids_carry_their_kind_and_sort_by_time():
    """An id is its prefix and 26 characters of Crockford's alphabet; a later one sorts after an earlier one."""
    first, second = clock.new_id("esc"), clock.new_id("esc")

    assert re.fullmatch(r"esc_[0-9A-HJKMNP-TV-Z]{26}", first)
    assert first[:14] <= second[:14]
    assert first != second


def test_secrets_are_long_and_never_the_same():
    """A token has 256 random bits behind a prefix that scanners know; a salt has 128."""
    assert re.fullmatch(r"cst_[A-Za-z0-9_-]{43}", clock.new_secret())
    assert len({clock.new_secret() for _ in range(100)}) == 100
    assert re.fullmatch(r"[0-9a-f]{32}", clock.new_salt())
    assert len(clock.new_key()) == 32


def test_now_is_aware():
    """The instant has a zone, UTC."""
    assert clock.utc_now().tzinfo is UTC
