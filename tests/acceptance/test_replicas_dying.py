"""Three services on one PostgreSQL, a workspace and a real cluster, while processes die, stand still and lose their connections.

What is recorded stands outside: the workspace's messages and the cluster's object. ``COUNTERSIGN_FAULTS`` says how many rounds
(``make soak`` runs 200), ``COUNTERSIGN_SEED`` which chances.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from models.audit.sealer import Sealer
from models.engine.database import open_database
from sandbox.workspace import Message
from tests.acceptance.agent import Agent, new_token, scale_of
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place, Service
from tests.acceptance.town import Town
from tests.fixtures.postgres import PostgresDatabase, PostgresServer
from tests.fixtures.stores import a_store
from tests.usecases.product import assert_sound
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

ROUNDS = int(os.environ.get("COUNTERSIGN_FAULTS", "2"))
SEED = int(os.environ.get("COUNTERSIGN_SEED", "7"))
STANDS_STILL_SECONDS = 9.0
ADA = "U0ADA"
SLOTS = "abc"
HARMS = ("kill", "stop", "term", "cut")


@dataclass
class Replicas:
    """Three places for a process each; a process that is gone is followed by another."""

    place: Place
    server: PostgresServer
    database: PostgresDatabase
    open_ones: ExitStack
    running: dict[str, Service] = field(default_factory=dict)
    count: int = 0

    def fill(self) -> None:
        """Have a process at every place."""
        for slot in SLOTS:
            if slot not in self.running:
                self.count += 1
                name = f"{slot}-{self.count}"
                self.running[slot] = self.open_ones.enter_context(self.place.serving(name))

    def harm(self, how: str, slot: str) -> str | None:
        """Do it to one of them; return the slot of a process that now stands still."""
        process = self.running[slot].process
        match how:
            case "kill":
                self.running.pop(slot).kill()
            case "stop":
                process.send_signal(signal.SIGSTOP)
                return slot
            case "term":
                self.running.pop(slot)
                process.send_signal(signal.SIGTERM)
            case _:
                self.server.cut_off(self.database)
        return None

    def agent(self, token: str, *, without: str | None) -> Agent:
        """Return an agent that asks a process which does not stand still."""
        slot = next(slot for slot in sorted(self.running) if slot != without)
        return Agent(service=self.running[slot], token=token)


@pytest.fixture
def replicas(
    ground: Ground,
    town: Town,
    new_place: NewPlace,
    postgres_server: PostgresServer,
    postgres_database: PostgresDatabase,
) -> Iterator[Replicas]:
    """Three services over one database."""
    place = new_place(
        {**ground.settings, **town.settings, "COUNTERSIGN_DATABASE_URL": postgres_database.restricted_url}
    )
    with ExitStack() as open_ones:
        made = Replicas(place=place, server=postgres_server, database=postgres_database, open_ones=open_ones)
        made.fill()
        yield made


def test_each_approved_change_lands_once_whatever_happens_to_whom(ground: Ground, town: Town, replicas: Replicas):
    """I1, I2, I5: whichever process dies or sleeps meanwhile, an approved change is made once; a card may be replaced, no more.

    A replacement says that it is one and mentions nobody; after a graceful stop there is none.
    """
    chance = random.Random(SEED)
    token = new_token(replicas.place)
    for number in range(ROUNDS):
        replicas.fill()
        _round(ground, town, replicas, token, chance, number=number)
        ground.sweep()

    database = open_database(replicas.database.restricted_url)
    Sealer(database).seal()
    assert_sound(a_store(database))
    database.close()


def _round(ground: Ground, town: Town, replicas: Replicas, token: str, chance: random.Random, *, number: int) -> None:
    """Ask, approve, harm one process before or after the click, and look at what came of it."""
    how, slot, when = chance.choice(HARMS), chance.choice(SLOTS), chance.random()
    name = ground.new_deployment(replicas=1)
    escalation = _asks(replicas.agent(token, without=None), name)
    is_first = when < 0.5
    if not is_first:
        _approve(town, replicas.agent(token, without=None), escalation)
    time.sleep(when % 0.5)
    asleep, began = replicas.harm(how, slot), time.monotonic()
    if is_first:
        _approve(town, replicas.agent(token, without=asleep), escalation)

    wait_until(
        lambda: _effect(replicas.agent(token, without=asleep), escalation) == "verified",
        what=f"round {number} ({how}): the change is verified",
        within_s=150.0,
        every_s=0.3,
    )
    if asleep is not None:
        time.sleep(max(0.0, began + STANDS_STILL_SECONDS - time.monotonic()))
        replicas.running[asleep].process.send_signal(signal.SIGCONT)
        time.sleep(1)  # What it still had in hand leaves now.

    assert ground.get(name)["metadata"]["generation"] == 2, f"round {number} ({how}): made once, changed once"
    _assert_told_once(town.cards_of(escalation), how=how)


def _asks(agent: Agent, name: str) -> str:
    """Return the id of what is asked: an agent that is told to try again does so, under the same key."""
    answers = []

    def accepted() -> bool:
        answers.append(agent.post(scale_of(name, 2), key=name))
        assert answers[-1].status_code in {200, 202, 503}, answers[-1].text
        return answers[-1].status_code != 503

    wait_until(accepted, what="the question is taken", every_s=0.5)
    return str(answers[-1].json()["id"])


def _approve(town: Town, agent: Agent, escalation: str) -> None:
    """Click until the answer counts: where a click goes to a process that is gone, or is told to try again, a person does."""

    def counts() -> bool:
        with suppress(Exception):
            if agent.look(escalation)["status"] != "pending":
                return True
            for card in town.cards_of(escalation)[:1]:
                town.click(ADA, card, "approve:v1")
        return False

    wait_until(counts, what="the answer counts", within_s=60.0, every_s=0.5)


def _effect(agent: Agent, escalation: str) -> Any:
    with suppress(httpx.HTTPError, AssertionError):
        return (agent.look(escalation).get("execution") or {}).get("effect")
    return None


def _assert_told_once(cards: list[Message], *, how: str) -> None:
    assert 1 <= len(cards) <= (1 if how == "term" else 2), how
    for replacement in cards[1:]:
        assert "replaces an earlier one" in str(replacement.blocks)
        assert "<@" not in replacement.text
