"""Long polls: they end when something changes, when the time is over, when the token ends; and they hold no thread."""

import asyncio
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from approvals.errors import Unavailable
from bot.intake.deps import Rates
from bot.intake.routes import polls
from bot.intake.routes.escalations import look_in
from bot.runtime.pools import BoundedPool
from tests.bot.intake.conftest import UNBOUNDED
from tests.bot.intake.support import ESCALATIONS, OTHER_AGENT, Answer, Door, open_door, small_pools
from tests.builders import a_token
from tests.waiting import wait_until

TOKEN_ID = "tok_01JD0000000000000000000000"


@pytest.fixture
def callers():
    """Threads of the clients; they end when the door that they call is closed."""
    executor = ThreadPoolExecutor(60)
    yield executor
    executor.shutdown(wait=False, cancel_futures=True)


def _poll(
    callers: ThreadPoolExecutor, door: Door, asked: dict[str, Any], seconds: int = 60, **changed
) -> "Future[Answer]":
    path = f"{ESCALATIONS}/{asked['id']}?after_version={asked['version']}&wait_seconds={seconds}"
    return callers.submit(door.call, "GET", path, **changed)


def _waiting(door: Door, count: int) -> None:
    wait_until(lambda: len(door.intake.polls) == count, what=f"{count} polls wait")


def test_a_poll_answers_when_the_version_rises(door, callers):
    """A waiting agent is told of an approval soon after it, and the version tells the states apart."""
    asked = door.escalate().json
    waiting = _poll(callers, door, asked)
    _waiting(door, 1)

    with door.world.store.reading() as reading:
        request = reading.request(asked["id"])
    door.world.answers(request)

    told = waiting.result(10)
    assert (told.status, told.json["status"]) == (200, "approved")
    assert told.json["version"] > asked["version"]
    _waiting(door, 0)


def test_a_poll_sees_the_execution_move(door, callers):
    """Every step of the execution is a version of its own."""
    asked = door.escalate().json
    with door.world.store.reading() as reading:
        request = reading.request(asked["id"])
    door.world.answers(request)
    approved = door.call("GET", f"{ESCALATIONS}/{asked['id']}").json
    waiting = _poll(callers, door, approved)
    _waiting(door, 1)

    door.world.execute()

    told = waiting.result(10).json
    assert told["version"] > approved["version"]
    assert told["execution"]["status"] != "queued"


@pytest.mark.parametrize(
    "query", ["", "?after_version=0&wait_seconds=60", "?after_version=99&wait_seconds=60", "?wait_seconds=60"]
)
def test_a_poll_answers_at_once_when_there_is_something_to_tell(door, query):
    """Whoever has not seen this very version is told it without waiting."""
    asked = door.escalate().json

    began = time.monotonic()
    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}{query}")

    assert told.json == asked
    assert time.monotonic() - began < 5


def test_a_poll_ends_unchanged_when_its_time_is_over(door):
    """After wait_seconds the agent is told what stands."""
    asked = door.escalate().json

    began = time.monotonic()
    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}?after_version=1&wait_seconds=1")

    assert told.json == asked
    assert time.monotonic() - began >= 1


def test_t_auth_04_a_poll_ends_with_its_token(door, callers):
    """T-AUTH-04: revoked while it waits, a token's poll is closed with 401 within 5 s, and others' go on."""
    asked, others = door.escalate().json, door.escalate(token=OTHER_AGENT).json
    waiting, going_on = _poll(callers, door, asked), _poll(callers, door, others, 5, token=OTHER_AGENT)
    _waiting(door, 2)

    door.world.admit.revoke(TOKEN_ID, by="os:olga")
    told = waiting.result(5)

    assert (told.status, told.code) == (401, "unauthorised")
    assert (going_on.result(60).status, going_on.result().json) == (200, others)


def test_a_poll_of_anothers_escalation_does_not_wait(door):
    """404 at once: waiting would tell that it exists (I16)."""
    asked = door.escalate().json

    began = time.monotonic()
    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}?after_version=1&wait_seconds=60", token=OTHER_AGENT)

    assert (told.status, time.monotonic() - began < 5) == (404, True)


def test_polls_hold_no_thread(world, hand_clock, callers):
    """With one thread for all calls fifty polls wait, and a call beside them is answered (I13)."""
    pools = replace(small_pools(), intake=BoundedPool("intake", threads=1, queue=64))
    with open_door(world, hand_clock, rates=UNBOUNDED, pools=pools) as door:
        asked = door.escalate().json
        waiting = [_poll(callers, door, asked) for _ in range(50)]
        _waiting(door, 50)

        beside = door.call("GET", f"{ESCALATIONS}/{asked['id']}")
        door.call("POST", f"{ESCALATIONS}/{asked['id']}/cancel")

        told = [one.result(20).json["status"] for one in waiting]
    assert beside.json == asked
    assert told == ["cancelled"] * 50


def test_only_so_many_polls_of_one_agent_wait(world, hand_clock, callers, monkeypatch):
    """429 above the bound, for that agent only (I13)."""
    monkeypatch.setattr(polls, "MOST_POLLS_OF_ONE", 2)
    with open_door(world, hand_clock, rates=UNBOUNDED) as door:
        asked, others = door.escalate().json, door.escalate(token=OTHER_AGENT).json
        waiting = [_poll(callers, door, asked) for _ in range(2)]
        _waiting(door, 2)

        third = _poll(callers, door, asked).result(10)
        other = _poll(callers, door, others, 1, token=OTHER_AGENT).result(10)
        door.call("POST", f"{ESCALATIONS}/{asked['id']}/cancel")

        assert (third.status, third.code) == (429, "too_many_polls")
        assert other.status == 200
        assert [one.result(10).status for one in waiting] == [200, 200]


def test_a_client_that_hangs_up_is_forgotten(door):
    """Nothing is held for whoever has gone."""
    asked = door.escalate().json
    path = f"{ESCALATIONS}/{asked['id']}?after_version=1&wait_seconds=60"
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer cst_secret\r\n\r\n".encode())
        _waiting(door, 1)

    _waiting(door, 0)


def test_a_server_that_stops_lets_its_polls_go(world, hand_clock, callers):
    """Whoever waits is told what stands, instead of losing the connection."""
    with open_door(world, hand_clock, rates=UNBOUNDED) as door:
        asked = door.escalate().json
        waiting = [_poll(callers, door, asked) for _ in range(5)]
        _waiting(door, 5)

    assert [one.result(10).json for one in waiting] == [asked] * 5


def test_polls_outlast_a_store_that_cannot_be_asked(door, callers):
    """While the store is locked away the wait goes on, and a change made meanwhile is told."""
    asked = door.escalate().json
    waiting = _poll(callers, door, asked)
    _waiting(door, 1)
    look, failing = door.intake.polls._look, threading.Event()

    def broken(escalations, tokens):
        failing.set()
        raise RuntimeError("planted")

    door.intake.polls._look = broken
    assert failing.wait(10)
    door.world.cancel(asked["id"], token=a_token())
    door.intake.polls._look = look

    assert waiting.result(10).json["status"] == "cancelled"
    assert b'countersign_work_failures_total{work="polls"}' in door.metrics.text()


def test_a_token_that_ended_unseen_is_told_nothing(door, callers):
    """While looks fail a revocation goes unnoticed, but the answer at the end of the wait is judged anew."""
    asked = door.escalate().json

    def unavailable(escalations, tokens):
        raise Unavailable("The store cannot be reached.")

    door.intake.polls._look = unavailable
    waiting = _poll(callers, door, asked, 5)
    _waiting(door, 1)
    door.world.admit.revoke(TOKEN_ID, by="os:olga")

    assert (waiting.result(60).status, waiting.result().code) == (401, "unauthorised")


def test_nobody_waits_at_a_closed_door(world):
    """Once the server stops, a poll ends before it has begun."""
    pool = BoundedPool("intake", threads=1, queue=1)

    async def wait() -> float:
        closed = polls.Polls(look_in(world.store), pool=pool, failed=pytest.fail)
        closed.close()
        began = time.monotonic()
        await closed.wait("esc_1", a_token(), version=1, seconds=60)
        return time.monotonic() - began

    assert asyncio.run(wait()) < 5
    pool.close()


def test_word_of_a_change_is_looked_at_at_once(monkeypatch):
    """Where others tell what they change, a look follows each word and each new caller; without either it is rare."""
    monkeypatch.setattr(polls, "RARELY_S", 60.0)
    pool, looks, versions = BoundedPool("intake", threads=1, queue=4), [], {"esc_1": 1}

    def look(escalations, tokens):
        looks.append(escalations)
        return polls.PollLook(versions=dict(versions), good=tokens)

    async def story() -> list[int]:
        heard = polls.Polls(look, pool=pool, failed=pytest.fail, hears=lambda: True)
        watching = asyncio.create_task(heard.watch())
        waiting = asyncio.create_task(heard.wait("esc_1", a_token(), version=1, seconds=60))
        async with asyncio.timeout(10):
            while not looks:  # noqa: ASYNC110 - the look tells by a list
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            seen = [len(looks)]
            versions["esc_1"] = 2
            heard.news()
            await waiting
        watching.cancel()
        return [*seen, len(looks)]

    assert asyncio.run(story()) == [1, 2]
    pool.close()


def test_the_standard_pace_lets_an_agent_poll_for_everything_it_may_have_open():
    """The defaults fit together: one call for each open question at once."""
    assert Rates().calls.burst >= 50
