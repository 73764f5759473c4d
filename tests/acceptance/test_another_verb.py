"""A verb that the product does not know goes all the way: its file and its place in the registry are all that it needs.

It has a parameter of each kind that the product's own verbs do without: door, card, fences, execution and read-back take them.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, expect

from approvals.identity.accounts import Installation
from approvals.ports.journey import Milestone
from bot.cluster.client.sources import Source
from bot.cluster.rights.install import Administrator
from tests.acceptance.agent import Agent, new_token, scale_of
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import POLICY, Place
from tests.acceptance.screen import ADA, Screen, a_screen
from tests.acceptance.town import Town
from tests.verbs.rollout_style import style_of

OURS = Installation(name="anotherverb")
PROGRAM = ("-m", "tests.acceptance.more_verbs")


@pytest.fixture
def screen(chromium: object, browser: Browser, town: Town) -> Iterator[Screen]:
    """A window on the page."""
    with a_screen(browser, town) as made:
        yield made


@pytest.fixture(scope="module")
def place(ground: Ground, town: Town, new_place: NewPlace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place whose product knows the verb, with what that product's own manifests bring installed in the real cluster."""
    kubeconfig = tmp_path_factory.mktemp("another") / "bot.kubeconfig"
    plain = new_place({**town.settings, "COUNTERSIGN_KUBECONFIG": str(kubeconfig)})
    made = replace(plain, program=PROGRAM, dying=(*PROGRAM, "dying"))
    text = POLICY.read_text().replace("installation: stories", f"installation: {OURS.name}")
    made.policy.write_text(text.replace("verbs: [scale, restart]", "verbs: [scale, rollout_style]"))
    printed = made.run("manifests", "demo")
    assert printed.code == 0, printed.err
    documents = list(yaml.safe_load_all(printed.out))
    with ExitStack() as stack:
        line = stack.enter_context(
            Administrator(Source(kubeconfig=ground.cluster.kubeconfig, context=ground.cluster.context))
        )
        line.apply(documents)
        stack.callback(ground.remove_fences_of, documents)
        line.write_kubeconfig(OURS.bot, kubeconfig, good_for=timedelta(hours=2))
        with made.serving():
            made.wait_for_leg("environment", "demo", "good", within_s=60.0)
        yield made


@pytest.fixture(scope="module")
def token(place: Place) -> str:
    """The agent's token."""
    return new_token(place)


def style(name: str, **parameters: Any) -> dict[str, Any]:
    """Return the body of a request to change how a Deployment replaces its pods."""
    wanted = {"strategy": "Recreate", "paused": True, "stage": "dress-rehearsal", **parameters}
    body = scale_of(name, 1)
    body["action"] |= {
        "verb": "rollout_style",
        "parameters": {key: value for key, value in wanted.items() if value != ""},
    }
    return body


def test_a_verb_with_a_choice_a_switch_and_a_word_goes_all_the_way(
    ground: Ground, place: Place, token: str, screen: Screen
):
    """Asked over HTTP, seen on the card, approved, written within its own fence, and verified by its own yardstick (I8)."""
    name = ground.new_deployment(replicas=2)
    with place.serving() as service:
        place.wait_for_leg("environment", "demo", "good", within_s=60.0)
        agent = Agent(service=service, token=token)
        asked = agent.post(style(name), key="asked")
        assert asked.status_code == 202, asked.text
        escalation = str(asked.json()["id"])
        card = screen.card(escalation)
        for shown in ("/spec/strategy/type", "Recreate", "/spec/paused", "dress-rehearsal"):
            expect(card).to_contain_text(shown)

        screen.approve(escalation, as_=ADA)

        agent.wait_for_effect(escalation, "verified")
        expect(card).to_contain_text("It replaces its pods as approved.")
    assert style_of(ground.get(name)) == ("Recreate", True, "dress-rehearsal")


def test_what_a_reply_did_not_tell_is_read_back(ground: Ground, place: Place, token: str, screen: Screen):
    """Killed after the write's reply: the next start reads it back by the verb's own evidence, and writes nothing more (I2)."""
    name = ground.new_deployment(replicas=2)
    with place.serving(killed_at=Milestone.REPLIED) as service:
        place.wait_for_leg("environment", "demo", "good", within_s=60.0)
        asked = Agent(service=service, token=token).post(style(name, paused=False), key="killed")
        assert asked.status_code == 202, asked.text
        escalation = str(asked.json()["id"])
        screen.card(escalation)
        screen.approve(escalation, as_=ADA)
        service.wait_until_killed()
    written = ground.get(name)["metadata"]["generation"]
    place.let_leases_lapse()

    with place.serving() as service:
        Agent(service=service, token=token).wait_for_effect(escalation, "verified")

    assert style_of(ground.get(name)) == ("Recreate", False, "dress-rehearsal")
    assert ground.get(name)["metadata"]["generation"] == written


@pytest.fixture(scope="module")
def running(place: Place, token: str) -> Iterator[Agent]:
    """The agent of a service that runs for a while."""
    with place.serving() as service:
        yield Agent(service=service, token=token)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"strategy": "BlueGreen"}, "/action/parameters/strategy"),
        ({"strategy": ""}, "/action/parameters/strategy"),
        ({"paused": "yes"}, "/action/parameters/paused"),
        ({"paused": 1}, "/action/parameters/paused"),
        ({"stage": "Ünder-way"}, "/action/parameters/stage"),
        ({"stage": "dress-rehearsal\n"}, "/action/parameters/stage"),
        ({"stage": "a" * 21}, "/action/parameters/stage"),
        ({"replicas": 3}, "/action/parameters/replicas"),
    ],
)
def test_a_parameter_of_another_form_is_refused_with_its_place(running: Agent, parameters: dict[str, Any], field: str):
    """Another word, none, a text for a switch, a number for one, another alphabet, a line break, too long, not there."""
    answer = running.post(style("web", **parameters), key=uuid.uuid4().hex)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
