"""The service killed between an approval and its outcome, and started anew: what was approved runs once, or not at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from approvals.ports.journey import Milestone
from tests.acceptance.agent import Agent, new_token, scale_of
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place
from tests.acceptance.screen import ADA, Screen, a_screen
from tests.acceptance.town import Town


@pytest.fixture
def screen(chromium: object, browser: Browser, town: Town) -> Iterator[Screen]:
    """A window on the page."""
    with a_screen(browser, town) as made:
        yield made


@pytest.fixture(scope="module")
def place(ground: Ground, town: Town, new_place: NewPlace) -> Place:
    """A place over the real cluster, whose service each story starts and kills."""
    made = new_place({**ground.settings, **town.settings})
    with made.serving():
        pass  # the first start adopts the policy, without which there is no agent to give a token to
    return made


@pytest.fixture(scope="module")
def token(place: Place) -> str:
    """The agent's token."""
    return new_token(place)


@pytest.mark.parametrize(
    "milestone",
    [Milestone.VOTED, Milestone.REPLIED, Milestone.OUTCOME],
)
def test_a_kill_neither_loses_nor_doubles_what_was_approved(
    ground: Ground, place: Place, token: str, screen: Screen, milestone: Milestone
):
    """Killed after the vote, after the write's reply or after its outcome: the next start ends it, with one write.

    After the reply nobody may touch it before the dead worker's lease of a minute has run out.
    """
    name = ground.new_deployment(replicas=2)
    with place.serving(killed_at=milestone) as service:
        escalation = Agent(service=service, token=token).asks_to_scale(name, 4)
        screen.card(escalation)
        screen.approve(escalation, as_=ADA)
        service.wait_until_killed()
    place.let_leases_lapse()

    with place.serving() as service:
        Agent(service=service, token=token).wait_for_effect(escalation, "verified")
        expect(screen.card(escalation)).to_contain_text("Applied and done.")
        assert service.process.poll() is None

    assert ground.replicas(name) == 4
    assert ground.get(name)["metadata"]["generation"] == 2, "made once, changed once"


def test_a_target_that_changed_after_the_approval_voids_it(ground: Ground, place: Place, token: str, screen: Screen):
    """Killed between the approval and the start; somebody changes the target; the next start voids it and asks again."""
    name = ground.new_deployment(replicas=2)
    with place.serving(killed_at=Milestone.VOTED) as service:
        escalation = Agent(service=service, token=token).asks_to_scale(name, 6)
        screen.card(escalation)
        screen.approve(escalation, as_=ADA)
        service.wait_until_killed()
    ground.somebody_scales(name, 3)

    with place.serving() as service:
        card = screen.card(escalation)
        expect(card).to_contain_text("Void: the target changed after the approval.")
        successor = str(Agent(service=service, token=token).look(escalation)["superseded_by"])
        expect(screen.card(successor)).to_contain_text(f"Asks again after {escalation}, whose target changed.")

    assert ground.replicas(name) == 3


def test_a_pause_outlives_the_process(ground: Ground, place: Place, token: str, screen: Screen):
    """Approved, killed before it was claimed, paused at the command line: the next start does not run it."""
    name = ground.new_deployment(replicas=2)
    with place.serving(killed_at=Milestone.VOTED) as service:
        escalation = Agent(service=service, token=token).asks_to_scale(name, 5)
        screen.card(escalation)
        screen.approve(escalation, as_=ADA)
        service.wait_until_killed()
    paused = place.run("pause", "namespace:demo/shop", "--reason", "night")
    assert "Stopped before they started: 1 approved change." in paused.out, paused

    with place.serving() as service:
        agent = Agent(service=service, token=token)
        expect(screen.card(escalation)).to_contain_text("Not carried out: Countersign changed nothing.")
        refused = agent.post(scale_of(name, 6), key="paused")
        assert (refused.status_code, refused.json()["code"]) == (403, "paused")

    assert ground.replicas(name) == 2


def test_commands_beside_the_service_cost_it_nothing(ground: Ground, place: Place, token: str):
    """Whatever command comes and goes, what the service takes on after it is there, for others and after a kill."""
    name = ground.new_deployment("payments")  # nobody has paused that
    with place.serving() as service:
        agent = Agent(service=service, token=token)
        asked = [agent.asks_to_scale(name, 3, namespace="payments")]
        for number, command in enumerate(
            (["status"], ["audit", "verify"], ["digest", "--preview"], ["policy", "check"]), 4
        ):
            assert place.run(*command).code == 0, command
            asked.append(agent.asks_to_scale(name, number, namespace="payments"))
        assert place.database.with_name("countersign.db-wal").exists()
        service.kill()

    with closing(sqlite3.connect(place.database)) as connection:
        found = {identifier for (identifier,) in connection.execute("SELECT id FROM escalations")}
    assert set(asked) <= found
