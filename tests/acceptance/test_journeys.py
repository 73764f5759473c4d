"""The card's journey in a real browser with a real cluster: what people see, click and type, and what comes of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.agent import Agent, new_token, scale_of
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place, Service
from tests.acceptance.screen import ADA, BORIS, CHEN, DINA, ELI, FAY, Screen, a_screen
from tests.acceptance.town import Town


@dataclass(frozen=True, kw_only=True)
class Office:
    """Everything a story needs, running."""

    ground: Ground
    town: Town
    place: Place
    agent: Agent


@pytest.fixture(scope="module")
def office(ground: Ground, town: Town, new_place: NewPlace) -> Iterator[Office]:
    """The service over a real cluster and a workspace, shared by the stories; each has a Deployment of its own."""
    place = new_place({**ground.settings, **town.settings})
    with place.serving() as service:
        yield Office(ground=ground, town=town, place=place, agent=Agent(service=service, token=_token(place, service)))


def _token(place: Place, service: Service) -> str:
    """Return a token made while the service runs: it adopted the policy, and reads tokens anew each time."""
    assert service.process.poll() is None
    return new_token(place)


@pytest.fixture
def screen(chromium: object, browser: Browser, town: Town) -> Iterator[Screen]:
    """A window on the page."""
    with a_screen(browser, town) as made:
        yield made


def test_an_approved_change_is_carried_out(office: Office, screen: Screen):
    """An agent asks, a person clicks Approve, the Deployment scales, its rollout ends, and the card says who and when."""
    name = office.ground.new_deployment(replicas=2)
    escalation = office.agent.asks_to_scale(name, 4)
    card = screen.card(escalation)
    expect(card).to_contain_text("Needs 1 approval")
    expect(card).to_contain_text("/spec/replicas")

    screen.approve(escalation, as_=ADA)

    expect(card).to_contain_text("Approved by @Ada Lindqvist")
    expect(card).to_contain_text("Applied and done.")
    expect(card.locator("time, .date").last).to_be_visible()
    assert (office.ground.replicas(name), office.ground.ready(name)) == (4, 4)
    expect(card.get_by_test_id("approve:v1")).to_have_count(0)
    seen = office.agent.look(escalation)
    assert (seen["status"], seen["execution"]["effect"]) == ("approved", "verified")


def test_a_denial_says_why(office: Office, screen: Screen):
    """Deny with reason opens a form; what was written stands on the card, and nothing runs."""
    name = office.ground.new_deployment()
    escalation = office.agent.asks_to_scale(name, 5)

    screen.deny_with_reason(escalation, "Not during the sale, <!channel>.", as_=BORIS)

    card = screen.card(escalation)
    expect(card).to_contain_text("Denied by @Boris Okafor")
    expect(card).to_contain_text("Not during the sale, <!channel>.")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    assert (office.agent.look(escalation)["status"], office.ground.replicas(name)) == ("denied", 2)


def test_silence_is_nobodys_denial(office: Office, screen: Screen):
    """A question that nobody answers times out, and its card names nobody."""
    name = office.ground.new_deployment()
    escalation = office.agent.asks_to_scale(name, 3, timeout_seconds=3)

    card = screen.card(escalation)
    expect(card).to_contain_text("Denied automatically: nobody decided in time")

    expect(card).not_to_contain_text("Denied by")
    assert (office.agent.look(escalation)["status"], office.ground.replicas(name)) == ("expired", 2)


def test_a_target_that_changed_while_the_card_waited_voids_the_approval(office: Office, screen: Screen):
    """Approve on an outdated card changes nothing: it is void, and a new card shows what would change now."""
    name = office.ground.new_deployment()
    escalation = office.agent.asks_to_scale(name, 6)
    card = screen.card(escalation)
    office.ground.somebody_scales(name, 3)

    screen.approve(escalation, as_=ADA)

    expect(card).to_contain_text("Void: the target changed after the approval.")
    successor = str(office.agent.look(escalation)["superseded_by"])
    expect(card).to_contain_text(f"{successor} asks again.")
    expect(screen.card(successor)).to_contain_text(f"Asks again after {escalation}, whose target changed.")
    assert office.ground.replicas(name) == 3
    screen.approve(successor, as_=ADA)
    expect(screen.card(successor)).to_contain_text("Applied and done.")
    assert office.ground.replicas(name) == 6


def test_a_risky_change_takes_two_people(office: Office, screen: Screen):
    """With a quorum of two the same person twice is one person; the second one's approval lets it run."""
    name = office.ground.new_deployment("payments")
    escalation = office.agent.asks_to_scale(name, 3, namespace="payments")

    screen.approve(escalation, as_=ADA, sure=True)
    expect(screen.card(escalation)).to_contain_text(
        "Needs 1 more approval from on-call. Approved so far by @Ada Lindqvist."
    )
    screen.approve(escalation, as_=ADA, sure=True)
    expect(screen.last_note).to_contain_text("Your approval counted already. 1 more needed.")
    assert office.ground.replicas(name, "payments") == 2
    screen.approve(escalation, as_=BORIS, sure=True)

    expect(screen.card(escalation)).to_contain_text("Approved by @Ada Lindqvist and @Boris Okafor")
    expect(screen.card(escalation)).to_contain_text("Applied and done.")
    assert office.ground.replicas(name, "payments") == 3


def test_who_may_not_answer_is_told_privately(office: Office, screen: Screen):
    """The requester, somebody who is no approver, a guest and an outsider are refused, each in private and on record."""
    name = office.ground.new_deployment()
    escalation = office.agent.asks_to_scale(name, 3, on_behalf_of="T0COUNTERSIGN:U0CHEN")
    said = {}

    for person in (CHEN, DINA, ELI, FAY):
        before = screen.town.notes_of(person)
        screen.approve(escalation, as_=person)
        expect(screen.page.locator("#messages").get_by_test_id("ephemeral")).to_have_count(before + 1)
        said[person] = screen.last_note.inner_text()

    assert len(set(said.values())) >= 2, said
    screen.act_as(ADA)
    expect(screen.card(escalation)).to_contain_text("Needs 1 approval")
    assert (office.agent.look(escalation)["status"], office.ground.replicas(name)) == ("pending", 2)
    story = office.place.run("audit", "show", escalation)
    assert story.out.count("that does not count") == 4, story.out


def test_a_rollout_that_fails_is_said_to_have_failed(office: Office, screen: Screen):
    """A change that was applied and whose pods never come up ends as failed on the card, not as done."""
    name = office.ground.new_deployment(replicas=1, pull_fails=True, progress_deadline_seconds=3)
    escalation = office.agent.asks_to_scale(name, 2)

    screen.approve(escalation, as_=ADA)

    expect(screen.card(escalation)).to_contain_text("Applied, but it did not turn out as approved.")
    expect(screen.card(escalation)).not_to_contain_text("Applied and done.")
    assert office.agent.wait_for_effect(escalation, "failed")["status"] == "approved"


def test_an_operator_denies_beside_the_running_service(office: Office, screen: Screen):
    """What is denied at the command line stands on the card a moment later."""
    name = office.ground.new_deployment()
    escalation = office.agent.asks_to_scale(name, 5)
    screen.card(escalation)

    said = office.place.run("deny", escalation, "--reason", "freeze")

    assert (said.code, said.out) == (0, "Denied. Nothing will run.\n")
    expect(screen.card(escalation)).to_contain_text("Denied by")
    expect(screen.card(escalation)).to_contain_text("freeze")


def test_a_pause_stops_everything_until_two_people_resume(office: Office, screen: Screen):
    """While paused nobody can approve and agents are turned away; two people resume; earlier votes do not count."""
    name = office.ground.new_deployment("payments")
    escalation = office.agent.asks_to_scale(name, 3, namespace="payments")
    screen.approve(escalation, as_=ADA, sure=True)
    expect(screen.card(escalation)).to_contain_text("Needs 1 more approval")

    screen.type_line("/agent-pause on all incident 42", as_=ADA)
    expect(screen.last_note).to_contain_text("Paused: everything.")
    expect(screen.card(escalation)).to_contain_text("Paused: everything")
    expect(screen.card(escalation)).to_contain_text("Needs 2 approvals")
    expect(screen.card(escalation).get_by_test_id("approve:v1")).to_have_count(0)
    expect(screen.card(escalation).get_by_test_id("deny:v1")).to_have_count(1)
    refused = office.agent.post(scale_of(name, 9, namespace="payments"), key="while paused")
    assert (refused.status_code, refused.json()["code"]) == (403, "paused")
    screen.type_line("/agent-pause status", as_=BORIS)
    expect(screen.last_note).to_contain_text("everything, by @Ada Lindqvist since")

    pause = re.findall(r"pause_[0-9A-Z]{26}", screen.page.locator("#messages").inner_text())[-1]
    screen.type_line(f"/agent-pause off {pause}", as_=ADA)
    expect(screen.last_note).to_contain_text("It takes 2 people: 1 more.")
    screen.type_line(f"/agent-pause off {pause}", as_=BORIS)
    expect(screen.last_note).to_contain_text("Resumed: everything.")
    expect(screen.page.locator("#messages")).to_contain_text("Resumed by @Ada Lindqvist and @Boris Okafor")
    expect(screen.card(escalation)).not_to_contain_text("Paused")
    expect(screen.card(escalation)).to_contain_text("Needs 2 approvals")

    screen.approve(escalation, as_=BORIS, sure=True)
    expect(screen.last_note).to_contain_text("1 more needed")
    assert (office.agent.look(escalation)["status"], office.ground.replicas(name, "payments")) == ("pending", 2)
