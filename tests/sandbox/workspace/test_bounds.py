"""What is kept is bounded: tickets, rates and notes forget the oldest instead of growing for ever."""

from sandbox.workspace import Strictness
from sandbox.workspace.rates import Rates
from sandbox.workspace.store import EPHEMERALS_MOST
from sandbox.workspace.tickets import Tickets
from tests.sandbox.workspace.support import ADA, CHANNEL, Clock, call, running, story


def test_a_bucket_fills_at_its_rate_and_no_further():
    """A burst is available at once, then one call a refill, however long one waited before."""
    clock = Clock()
    rates = Rates(clock)

    def take():
        return rates.wait_for("key", per_second=0.5, burst=2)

    assert [take(), take(), take()] == [0, 0, 2]
    clock.go_on(1.9)
    assert take() == 1
    clock.go_on(0.1)
    assert take() == 0
    clock.go_on(3_600)
    assert [take(), take(), take()] == [0, 0, 2]


def test_a_clock_that_goes_back_takes_nothing_away():
    """A corrected clock never makes a bucket emptier than it was."""
    clock = Clock()
    rates = Rates(clock)
    rates.wait_for("key", per_second=1, burst=2)
    clock.go_on(-3_600)

    assert rates.wait_for("key", per_second=1, burst=2) == 0


def test_many_channels_do_not_fill_the_memory():
    """A caller who names ever new keys pushes the oldest out."""
    rates = Rates(Clock())
    for number in range(10_100):
        rates.wait_for(number, per_second=1, burst=1)

    assert len(rates._buckets) == 10_000


def test_many_clicks_do_not_fill_the_memory():
    """Old triggers and response URLs are forgotten; a forgotten one is unknown, not a fault."""
    tickets = Tickets(strictness=Strictness(), now=Clock())
    first = tickets.issue_trigger(ADA)
    url = tickets.issue_url(user=ADA, channel=CHANNEL, ts=None)
    for _ in range(5_000):
        tickets.issue_trigger(ADA)
        tickets.issue_url(user=ADA, channel=CHANNEL, ts=None)

    assert tickets.redeem_trigger(first) == ("", "invalid_trigger_id")
    assert tickets.redeem_url(url) == (None, "invalid_url")


@story
async def test_a_person_keeps_the_latest_notes():
    """Private notes are bounded for each person."""
    async with running(strictness=Strictness(method_rates={})) as workspace:
        for number in range(EPHEMERALS_MOST + 5):
            await call(workspace, "chat.postEphemeral", channel=CHANNEL, user=ADA, text=str(number))

        texts = [note.text for note in workspace.ephemerals(ADA)]
        assert (len(texts), texts[0], texts[-1]) == (EPHEMERALS_MOST, "5", str(EPHEMERALS_MOST + 4))
