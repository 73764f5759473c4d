"""The digest's post: on time, once, caught up with after an outage, and never for a time before there was anything."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from approvals.policy.policy import DigestSchedule, Environment
from approvals.presentation.digest import WeeklyDigest
from bot.outbox.delivery import Detail, Later, Pace, Rejected
from bot.outbox.digests import FIRST_WAIT, DigestPost
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.outbox.digests import Digests
from models.store.store import SqlStore
from tests.builders import CHANNEL, MINUTE, TEAM, a_policy, an_environment
from tests.world import FixedPolicies, World

MONDAY_NINE = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""Monday, nine o'clock in Berlin."""

LAST_WEEK = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@dataclass
class FakePoster:
    """Keeps what is posted; fails while it is down."""

    posted: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    crowded: bool = False
    refuses: list[Exception] = field(default_factory=list)
    """What the next posts are refused with."""
    tried: list[str] = field(default_factory=list)
    """What was refused so."""
    meanwhile: Callable[[], None] = lambda: None
    """What happens while a message is on its way."""

    def may_post(self, channel: str, pace: Pace = Pace.DECISION) -> bool:
        """Unless it is crowded."""
        return not self.crowded

    def may_update(self, pace: Pace = Pace.DECISION) -> bool:
        """Always."""
        return True

    def update(self, channel: str, ts: str, message: str, *, pace: Pace = Pace.DECISION) -> None:
        """Digests are never changed."""
        raise AssertionError("a digest is never changed")

    def post(self, channel: str, message: str, *, thread: str | None = None, pace: Pace = Pace.DECISION) -> str:
        """Keep it."""
        if self.refuses:
            self.tried.append(message)
            raise self.refuses.pop(0)
        if self.down:
            raise Later("outage", wait=timedelta(seconds=1))
        self.meanwhile()
        self.posted.append((channel, message))
        return f"{len(self.posted)}.0"


def drawn(digest: WeeklyDigest, environment: Environment, replaces: bool, detail: Detail) -> str:
    """Return a digest as a line."""
    again = " again" if replaces else ""
    plain = "" if detail is Detail.FULL else f" {detail.name}"
    return f"{environment.name} {digest.start:%m-%d %H:%M} {digest.asked} asked {dict(digest.outcomes)}{again}{plain}"


@pytest.fixture
def office(sqlite_store: SqlStore, host_clock):
    """A store in which one request came in last week and timed out, its poster, and the post under test."""
    sqlite_store = SqlStore(sqlite_store.database, host_clock=host_clock, new_salt=lambda: "0" * 32)
    host_clock.at = LAST_WEEK
    world = World(sqlite_store).settled()
    world.pending()
    host_clock.at = LAST_WEEK + 20 * MINUTE
    world.expire()
    Sealer(sqlite_store.database).seal()
    poster = FakePoster()
    post = DigestPost(
        store=sqlite_store,
        policies=FixedPolicies(a_policy()),
        book=AuditBook(sqlite_store.database),
        digests=Digests(sqlite_store),
        poster=poster,
        draw=drawn,
        failed=pytest.fail,
    )
    return post, poster


SAID = "prod-eu-1 11-15 23:00 1 asked {'expired': 1}"


def test_it_is_posted_when_it_is_due_and_only_once(office, host_clock):
    """A minute before it is due there is nothing; from then on it stands there once, however often the tick comes."""
    post, poster = office

    host_clock.at = MONDAY_NINE - MINUTE
    post.catch_up()
    before = list(poster.posted)
    host_clock.at = MONDAY_NINE
    for _ in range(3):
        post.catch_up()

    assert (before, poster.posted) == ([], [(CHANNEL, SAID)])


def test_an_outage_delays_it_and_says_that_it_may_be_a_second_copy(office, host_clock):
    """What could not be posted on time is posted later, naming itself a replacement: the first try may have arrived."""
    post, poster = office
    host_clock.at, poster.down = MONDAY_NINE, True
    post.catch_up()

    host_clock.at, poster.down = MONDAY_NINE + 90 * MINUTE, False
    post.catch_up()

    assert poster.posted == [(CHANNEL, f"{SAID} again")]


def test_a_shape_that_is_refused_goes_out_plainer_at_once(office, host_clock):
    """Without its table, at last as one line: a week's figures are not lost to what Slack makes of a block."""
    post, poster = office
    host_clock.at = MONDAY_NINE
    poster.refuses += [Rejected("invalid_blocks"), Rejected("invalid_blocks")]

    post.catch_up()

    assert poster.tried == [SAID, f"{SAID} REVIEWED"]
    assert poster.posted == [(CHANNEL, f"{SAID} LINE")]


def test_a_digest_that_cannot_be_drawn_whole_goes_out_plainer(office, host_clock):
    """A fault of ours in its table costs the table and not the week's counts; it is counted."""
    post, poster = office
    failed: list[str] = []

    def draw(digest, environment, replaces, detail):
        if detail is Detail.FULL:
            raise ZeroDivisionError
        return drawn(digest, environment, replaces, detail)

    host_clock.at = MONDAY_NINE
    replace(post, draw=draw, failed=failed.append).catch_up()

    assert (poster.posted, failed) == ([(CHANNEL, f"{SAID} REVIEWED")], ["digests"])


def test_refusing_every_shape_counts_as_one_failure(office, host_clock):
    """Three shapes refused at once are one try: the next comes after the first wait, not the fourth."""
    post, poster = office
    poster.refuses = [Rejected("invalid_blocks") for _ in Detail]
    host_clock.at = MONDAY_NINE
    post.catch_up()
    host_clock.at = MONDAY_NINE + FIRST_WAIT
    post.catch_up()

    assert len(poster.posted) == 1


def test_it_is_tried_again_with_growing_waits(office, host_clock):
    """However long it is refused, every minute brings fewer tries; Slack's own wait is kept in full."""
    post, poster = office
    host_clock.at = MONDAY_NINE
    poster.refuses += [Later("org_login_required"), Later("ratelimited", wait=10 * MINUTE), Later("is_archived")]
    tried = []
    for _ in range(30):
        post.catch_up()
        tried.append(len(poster.tried))
        host_clock.at += MINUTE

    assert [tried.index(count) for count in (1, 2, 3)] == [0, 1, 11]
    assert poster.posted == [(CHANNEL, f"{SAID} again")]


def test_it_takes_no_turn_of_a_question(office, host_clock):
    """Where the channel's pace is taken it waits for the next catching up, and has not begun."""
    post, poster = office
    host_clock.at, poster.crowded = MONDAY_NINE, True
    post.catch_up()
    poster.crowded = False
    host_clock.at += MINUTE

    post.catch_up()

    assert poster.posted == [(CHANNEL, SAID)]


def test_a_new_installation_does_not_begin_with_a_digest(office, host_clock):
    """What was due before anything was on record is not made up for."""
    post, poster = office

    host_clock.at = LAST_WEEK + 30 * MINUTE
    post.catch_up()

    assert poster.posted == []


@pytest.mark.parametrize("second", ["catching up", "the weekly job"])
def test_two_ticks_in_the_same_minute_post_it_once(office, host_clock, second):
    """The one that comes while the other's post is on its way does nothing; neither names itself a replacement."""
    post, poster = office
    host_clock.at = MONDAY_NINE
    poster.meanwhile = post.catch_up if second == "catching up" else lambda: post.post("prod-eu-1")

    post.post("prod-eu-1")

    assert poster.posted == [(CHANNEL, SAID)]


def test_it_goes_by_the_policy_in_force_when_it_is_due(office, host_clock):
    """A policy that moved the channel, or has the environment no more, counts at once: the old channel gets nothing."""
    post, poster = office
    host_clock.at = MONDAY_NINE

    post.policies.policy = a_policy(environments={})
    post.post("prod-eu-1")
    post.policies.policy = a_policy(environments={"prod-eu-1": an_environment(channel=f"{TEAM}:C0NEW")})
    post.post("prod-eu-1")
    post.catch_up()

    assert poster.posted == [(f"{TEAM}:C0NEW", SAID)]


def test_a_changed_time_counts_from_the_next_catching_up(office, host_clock):
    """The weekly job keeps the time it was planned for; what is posted when is the policy's all the same."""
    post, poster = office
    later = an_environment(digest=DigestSchedule(weekday="mon", hour=10, minute=30))
    post.policies.policy = a_policy(environments={"prod-eu-1": later})

    host_clock.at = MONDAY_NINE
    post.post("prod-eu-1")
    before = list(poster.posted)
    host_clock.at = MONDAY_NINE + 90 * MINUTE
    post.catch_up()

    assert (before, poster.posted) == ([], [(CHANNEL, SAID)])
