"""Clearance: nothing starts in an environment that is not cleared; what waits neither chatters nor outlives its approval."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from approvals.errors import Clash
from approvals.ports.clearance import Obstacle
from approvals.ports.cluster import Came, Reply
from approvals.ports.journey import Milestone
from approvals.workflow.execution import Phase, Reason
from tests.builders import MINUTE
from tests.fakes.clearance import FakeClearance
from tests.usecases.looks import execution_of, held_targets, kinds, stands

NOT_CHECKED = Obstacle(code="not_checked", sentence="Its checks have not passed yet.")
UNFENCED = Obstacle(code="fence_missing", sentence="Its admission policies are missing.")
ENVIRONMENT = "prod-eu-1"
WAIT = timedelta(seconds=5)


@dataclass
class Shuts:
    """A journey that shuts the environment when it comes by a milestone for the so manieth time."""

    clearance: FakeClearance
    milestone: Milestone
    after: int = 1

    def reached(self, milestone, subject):
        """Shut it, if this is the place."""
        self.after -= milestone is self.milestone
        if self.after == 0:
            self.clearance.obstacles[ENVIRONMENT] = UNFENCED


@pytest.fixture
def approved(world):
    """The agent's question, approved; nothing of it has begun."""
    request = world.answers(world.pending()).request
    assert request.environment == ENVIRONMENT
    return request


def shut(world, obstacle=NOT_CHECKED):
    """Let nothing start in the environment."""
    world.clearance.obstacles[ENVIRONMENT] = obstacle


def look(world, approved):
    """Let a worker look at the execution."""
    world.execute.look_at(execution_of(world, approved).id)


def test_nothing_starts_in_an_environment_that_is_not_cleared(world, approved):
    """I18: it waits with the sentence that says why, asks the cluster for nothing, and holds no target."""
    shut(world)

    look(world, approved)

    assert stands(world, approved) == (Phase.QUEUED, None, NOT_CHECKED.sentence)
    assert (world.cluster.minted, world.cluster.sent, held_targets(world)) == ([], [], [])


def test_waiting_for_clearance_is_no_event(world, approved, instant):
    """However long it waits, its story grows by one line an obstacle, not by one a look; another obstacle is another line."""
    shut(world)
    look(world, approved)
    before = kinds(world, approved)

    for _ in range(5):
        instant.pass_by(WAIT)
        look(world, approved)

    assert kinds(world, approved) == before
    shut(world, UNFENCED)
    look(world, approved)
    assert kinds(world, approved) == [*before, "execution.claimed", "execution.retried"]
    assert stands(world, approved) == (Phase.QUEUED, None, UNFENCED.sentence)


def test_one_that_waits_stands_in_nobodys_way(world, approved, instant):
    """It is due again a moment later, so that others come first."""
    shut(world)
    look(world, approved)

    look(world, approved)

    assert execution_of(world, approved).due_at == instant() + WAIT


def test_it_starts_once_the_environment_is_cleared(world, approved, instant):
    """Nobody has to ask again."""
    shut(world)
    look(world, approved)
    world.clearance.obstacles.clear()
    instant.pass_by(WAIT)

    world.execute()

    assert (execution_of(world, approved).state, len(world.cluster.sent)) == (Phase.APPLIED, 1)


def test_it_lapses_with_its_approval(world, approved, instant):
    """An approval is no better for having waited, and its end says for what it waited."""
    shut(world)
    look(world, approved)
    instant.pass_by(15 * MINUTE)

    world.execute()

    lapsed = "The approval lapsed before it could start. It waited: Its checks have not passed yet."
    assert stands(world, approved) == (Phase.VOIDED, Reason.LAPSED, lapsed)
    assert (world.cluster.minted, world.cluster.sent) == ([], [])


def test_another_workers_lease_is_left_alone(world, approved):
    """What is claimed by another is not put back under its hands."""
    world.execute._claim(execution_of(world, approved).id)
    shut(world)

    look(world, approved)

    assert execution_of(world, approved).state is Phase.CLAIMED


@pytest.mark.parametrize(
    "milestone", [Milestone.CLAIMED, Milestone.REPLANNED, Milestone.ARMED, Milestone.BEFORE_SENDING]
)
def test_a_clearance_lost_on_the_way_stops_the_send(world, approved, milestone):
    """It is looked at again under the start's locks, and right before the bytes go out."""
    world.restarted(journey=Shuts(world.clearance, milestone)).execute()

    assert stands(world, approved) == (Phase.QUEUED, None, UNFENCED.sentence)
    assert (world.cluster.sent, held_targets(world)) == ([], [])


LOST = Reply(came=Came.LOST, message="The reply was lost.")


def test_a_lost_write_is_not_sent_again_without_clearance(world, approved):
    """It is read back all the same, and stays unknown with the sentence that says why; its target stays locked."""
    world.cluster.replies = [LOST]

    look(world.restarted(journey=Shuts(world.clearance, Milestone.REPLIED)), approved)

    assert stands(world, approved) == (Phase.UNKNOWN, None, UNFENCED.sentence)
    assert (len(world.cluster.sent), len(world.cluster.minted), len(held_targets(world))) == (1, 1, 1)


def test_a_clearance_lost_while_a_lost_write_is_sent_again_stops_that_send(world, approved):
    """The second send looks as the first does."""
    world.cluster.replies = [LOST]

    look(world.restarted(journey=Shuts(world.clearance, Milestone.BEFORE_SENDING, after=2)), approved)

    assert stands(world, approved) == (Phase.UNKNOWN, None, UNFENCED.sentence)
    assert (len(world.cluster.sent), len(world.cluster.minted), len(held_targets(world))) == (1, 2, 1)


def test_what_is_gone_is_not_waited_for(world, approved):
    """An execution that vanished between the look and the lock is a clash, which the next look sees."""
    shut(world)

    world.execute.look_at("exe_unknown")

    with pytest.raises(Clash, match="moved on"):
        world.execute._wait_for_clearance("exe_unknown", NOT_CHECKED)
