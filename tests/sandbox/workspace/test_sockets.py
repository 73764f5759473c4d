"""Socket Mode: who may connect, which connection gets an envelope, and what happens when connections go."""

import asyncio
import functools
import json
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sandbox.workspace import Strictness
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Clock,
    actions,
    bolt_app,
    call,
    client_of,
    connected,
    running,
    story,
    until,
)


@asynccontextmanager
async def _link(workspace):
    """Hold a raw connection and give its socket, hello already read."""
    url = (await call(workspace, "apps.connections.open", token=workspace.app_token))["url"]
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield socket, await socket.receive_json(timeout=5)


async def _card(workspace):
    return (await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x", blocks=[actions()]))["ts"]


def _arrived(seen, wanted):
    return len(seen) >= wanted


async def _answering(socket, seen, name):
    async for message in socket:
        frame = json.loads(message.data)
        if "envelope_id" in frame:
            seen.append((name, frame))
            await socket.send_json({"envelope_id": frame["envelope_id"]})


@story
async def test_a_connection_is_greeted():
    """The first frame is hello, and says how long the connection may live."""
    async with running(strictness=Strictness(connection_seconds=100)) as workspace, _link(workspace) as (_, hello):
        assert hello == {
            "type": "hello",
            "num_connections": 1,
            "connection_info": {"app_id": "A0COUNTERSIGN"},
            "debug_info": {"host": "local-stand-in", "approximate_connection_time": 100},
        }


@story
async def test_an_address_opens_one_connection_soon():
    """A second use, a late one and a made-up one are refused."""
    clock = Clock()
    async with running(now=clock) as workspace, aiohttp.ClientSession() as session:
        used = (await call(workspace, "apps.connections.open", token=workspace.app_token))["url"]
        late = (await call(workspace, "apps.connections.open", token=workspace.app_token))["url"]
        async with session.ws_connect(used):
            pass
        clock.go_on(31)
        for url in (used, late, used.replace("ticket=", "ticket=0")):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url)
            assert refused.value.status == 401


@story
async def test_an_envelope_has_slacks_shape():
    """Kind, payload, and whether an answer is welcome stand in the frame; an event carries its retry fields."""
    seen: list[Any] = []
    async with running() as workspace, _link(workspace) as (socket, _):
        reader = asyncio.create_task(_answering(socket, seen, "a"))
        await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")
        await workspace.run_command(ADA, CHANNEL, "/agent-pause")
        await workspace.set_group_members("S0PROD", [])
        reader.cancel()

    frames = [frame for _, frame in seen]
    assert [(frame["type"], frame["accepts_response_payload"]) for frame in frames] == [
        ("interactive", False),
        ("slash_commands", True),
        ("events_api", False),
    ]
    assert (frames[2]["retry_attempt"], frames[2]["retry_reason"]) == (0, "")
    assert len({frame["envelope_id"] for frame in frames}) == 3


@story
async def test_each_envelope_goes_to_one_of_the_connections():
    """With two connections every click arrives once, at either; with the switch off it arrives twice."""
    counts = {}
    for one in (True, False):
        seen: list[Any] = []
        strictness = Strictness(one_connection_per_envelope=one)
        async with (
            running(strictness=strictness) as workspace,
            _link(workspace) as (first, _),
            _link(workspace) as (second, _),
        ):
            readers = [
                asyncio.create_task(_answering(socket, seen, name)) for socket, name in ((first, "a"), (second, "b"))
            ]
            ts = await _card(workspace)
            for _ in range(40):
                await workspace.click(ADA, CHANNEL, ts, "approve")
            wanted = 40 if one else 80
            await until(functools.partial(_arrived, seen, wanted), what="all envelopes arrived")
            for reader in readers:
                reader.cancel()
        counts[one] = (len(seen), {name for name, _ in seen})

    assert counts == {True: (40, {"a", "b"}), False: (80, {"a", "b"})}


@story
async def test_too_many_connections_are_turned_away():
    """The connection after the last allowed one is told too_many_websockets and closed."""
    async with (
        running(strictness=Strictness(max_connections=1)) as workspace,
        _link(workspace),
        _link(workspace) as (second, frame),
    ):
        assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
        assert (await second.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@story
async def test_a_connection_is_warned_before_it_must_go():
    """At the end of its life a connection gets warning, then refresh_requested, then is closed."""
    strictness = Strictness(connection_seconds=0.4, connection_warning_seconds=0.2)
    async with running(strictness=strictness) as workspace, _link(workspace) as (socket, _):
        frames = [await socket.receive_json(timeout=5) for _ in range(2)]
        closed = await socket.receive(timeout=5)

    assert [(frame["type"], frame["reason"]) for frame in frames] == [
        ("disconnect", "warning"),
        ("disconnect", "refresh_requested"),
    ]
    assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.parametrize("how", ["refresh", "drop"])
@story
async def test_the_real_client_comes_back(how):
    """After a refresh and after a cut, Bolt's client connects again and clicks work."""
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("approve")
        async def approve(ack):
            await ack()

        async with connected(workspace, app):
            await workspace.wait_for_connections()
            ts = await _card(workspace)
            if how == "refresh":
                await workspace.refresh_sockets()
            else:
                workspace.drop_sockets()
            await workspace.wait_for_connections(seconds=20)
            outcome = await workspace.click(ADA, CHANNEL, ts, "approve")

    assert outcome.acked is True


@story
async def test_an_answer_from_a_connection_that_was_cut_is_no_answer():
    """A connection that goes while the person waits counts as not answered in time."""
    async with running(strictness=Strictness(ack_seconds=0.3)) as workspace, _link(workspace) as (socket, _):
        click = asyncio.create_task(workspace.click(ADA, CHANNEL, await _card(workspace), "approve"))
        await socket.receive_json(timeout=5)
        workspace.drop_sockets()

        assert (await click).acked is False


@story
async def test_frames_that_make_no_sense_are_ignored():
    """Broken JSON, other shapes and unknown envelopes change nothing."""
    async with running() as workspace, _link(workspace) as (socket, _):
        for frame in ("{", "[]", '"x"', '{"envelope_id": "nobody"}', '{"payload": {}}'):
            await socket.send_str(frame)
        await socket.send_bytes(b"x")
        click = asyncio.create_task(workspace.click(ADA, CHANNEL, await _card(workspace), "approve"))
        frame = await socket.receive_json(timeout=5)
        await socket.send_json({"envelope_id": frame["envelope_id"], "payload": "not an object"})

        assert (await click).acked is True


@story
async def test_events_are_tried_again_until_they_are_acknowledged():
    """An event nobody took is delivered again, with the number and the reason of the retry."""
    seen: list[Any] = []
    strictness = Strictness(ack_seconds=1, event_retry_seconds=(0.05,) * 200)
    async with running(strictness=strictness) as workspace:
        delivery = workspace.set_group_members("S0PROD", [])
        await asyncio.sleep(0)
        async with _link(workspace) as (socket, _):
            frame = await socket.receive_json(timeout=5)
            again = await socket.receive_json(timeout=5)
            await socket.send_json({"envelope_id": again["envelope_id"]})
            seen += [frame, again]
            assert await delivery is True

    attempts = [frame["retry_attempt"] for frame in seen]
    assert attempts == [attempts[0], attempts[0] + 1]
    assert seen[1]["retry_reason"] == "http_timeout"
    assert seen[0]["payload"]["event_id"] == seen[1]["payload"]["event_id"]


@story
async def test_events_are_given_up_after_the_last_retry():
    """An event that nobody ever takes is dropped, and its delivery says so."""
    async with running(strictness=Strictness(event_retry_seconds=(0.0, 0.0, 0.0))) as workspace:
        assert await workspace.set_group_members("S0PROD", []) is False
