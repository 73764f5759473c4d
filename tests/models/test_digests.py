"""Weekly digests go out once each, and know which part of the chain they cover."""

from dataclasses import replace

import pytest

from approvals.audit.events import DELIVERY_STREAM
from approvals.errors import Settled
from approvals.identity.names import Channel
from approvals.presentation.digest import Head
from models.audit.book import AuditBook
from models.outbox.digests import Begun, Digests
from tests.builders import CHANNEL, TEAM

STAGING = f"{TEAM}:C0STAGING"


def test_a_digest_takes_up_where_the_last_one_ended(store):
    """Each channel's digests cover the chain without a gap, whatever other channels do."""
    digests = Digests(store)
    first = digests.begin(week="2026-W46", channel=CHANNEL, head=Head(number=10, chain="c10"))
    digests.posted(first, "1.1")
    digests.begin(week="2026-W47", channel=Channel(STAGING), head=Head(number=20, chain="c20"))
    second = digests.begin(week="2026-W47", channel=CHANNEL, head=Head(number=30, chain="c30"))

    assert first == Begun(week="2026-W46", channel=CHANNEL, first=1, head=Head(number=10, chain="c10"))
    assert second == Begun(week="2026-W47", channel=CHANNEL, first=11, head=Head(number=30, chain="c30"))


def test_a_digest_is_recorded_once(store):
    """The week that was posted is not posted again."""
    digests = Digests(store)
    head = Head(number=10, chain="c10")
    digests.posted(digests.begin(week="2026-W46", channel=CHANNEL, head=head), "1.1")

    with pytest.raises(Settled):
        digests.begin(week="2026-W46", channel=CHANNEL, head=head)


def test_a_digest_whose_reply_was_lost_is_begun_again_as_such(store):
    """The second try knows that the first may stand in the channel, so that it can say what it replaces."""
    digests = Digests(store)
    first = digests.begin(week="2026-W46", channel=CHANNEL, head=Head(number=10, chain="c10"))
    again = digests.begin(week="2026-W46", channel=CHANNEL, head=Head(number=12, chain="c12"))
    digests.posted(again, "1.2")

    assert replace(again, interrupted_at=None) == replace(first, head=Head(number=12, chain="c12"))
    assert again.interrupted_at is not None
    span = {"channel": CHANNEL, "first": 1}
    assert [(one.record.kind, dict(one.record.data)) for one in AuditBook(store.database).story(DELIVERY_STREAM)] == [
        ("card.posting", span | {"subject": "digest:2026-W46", "replaces": False, "last": 10}),
        ("card.posting", span | {"subject": "digest:2026-W46", "replaces": True, "last": 12}),
        ("digest.posted", span | {"week": "2026-W46", "last": 12, "head": "c12", "ts": "1.2"}),
    ]


def test_whether_a_digest_was_posted_can_be_asked(store):
    """Begun is not posted; another channel's is another digest."""
    digests = Digests(store)
    begun = digests.begin(week="2026-W46", channel=CHANNEL, head=Head(number=10, chain="c10"))
    before = digests.was_posted(week="2026-W46", channel=CHANNEL)
    digests.posted(begun, "1.1")

    after = digests.was_posted(week="2026-W46", channel=CHANNEL)
    assert (before, after, digests.was_posted(week="2026-W46", channel=Channel(STAGING))) == (False, True, False)
