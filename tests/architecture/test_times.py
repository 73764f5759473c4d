"""Times that belong together, though they stand in different rooms."""

from datetime import timedelta

from approvals.usecases.execution.read_back import REQUEST_TIMEOUT
from approvals.workflow.execution import LEASE
from approvals.workflow.starting import START_TO_SEND
from bot.cluster.door import WRITING


def test_a_write_is_over_before_we_say_that_it_can_no_longer_land():
    """Whoever declares a lost write dead waits at least as long as the door lets one take, and the lease outlasts both."""
    whole = timedelta(seconds=WRITING.whole)

    assert whole <= REQUEST_TIMEOUT
    assert START_TO_SEND + whole < LEASE
