"""Who is let in, and what everybody else gets to see: T-AUTH-01 to 07 and 15."""

import contextlib
import http.client
import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest

from approvals.workflow.request import State
from bot.intake.deps import Rates
from bot.intake.gate import credentials
from bot.intake.gate.rates import Rate
from bot.intake.http.sources import Network
from tests.bot.intake.support import (
    AGENT,
    ALERTS,
    ESCALATIONS,
    FRESH,
    MONITOR,
    NARROW,
    OTHER_AGENT,
    PROBLEM,
    a_body,
    a_delivery,
    open_door,
)

UNAUTHORISED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The credential is missing or not good.",
    "code": "unauthorised",
}

NO_CREDENTIAL = {
    "no token": b"",
    "empty": b"Authorization:\r\n",
    "scheme only": b"Authorization: Bearer\r\n",
    "wrong scheme": b"Authorization: Basic cst_secret\r\n",
    "no scheme": b"Authorization: cst_secret\r\n",
    "two spaces": b"Authorization: Bearer  cst_secret\r\n",
    "two headers": b"Authorization: Bearer cst_secret\r\nAuthorization: Bearer cst_secret\r\n",
    "two headers, one good": b"Authorization: Bearer nope\r\nauthorization: Bearer cst_secret\r\n",
    "two tokens": b"Authorization: Bearer cst_secret, Bearer cst_secret\r\n",
    "escaped newline": b"Authorization: Bearer cst_secret%0A\r\n",
    "folded": b"Authorization: Bearer cst_secret\r\n x\r\n",
    "quoted": b'Authorization: Bearer "cst_secret"\r\n',
    "another header": b"X-Api-Key: cst_secret\r\n",
    "cookie": b"Cookie: token=cst_secret\r\n",
    "not ascii": b"Authorization: Bearer cst_secret\xc3\xa9\r\n",
    "one character off": b"Authorization: Bearer cst_secreT\r\n",
    "one character less": b"Authorization: Bearer cst_secre\r\n",
    "a monitor's": b"Authorization: Bearer cst_monitor\r\n",
    "too long": b"Authorization: Bearer " + b"a" * 4000 + b"\r\n",
}


def _request(path: str, headers: bytes) -> bytes:
    return b"GET " + path.encode() + b" HTTP/1.1\r\nHost: door\r\nConnection: close\r\n" + headers + b"\r\n"


def _without_date(answer: bytes) -> bytes:
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"date:"))


@pytest.mark.parametrize("headers", NO_CREDENTIAL.values(), ids=NO_CREDENTIAL.keys())
def test_t_auth_01_whoever_shows_no_good_token_gets_one_and_the_same_answer(shared_door, headers):
    """T-AUTH-01: missing, malformed, doubled, unknown and of another kind are answered alike, byte for byte."""
    expected = _without_date(shared_door.raw(_request(ESCALATIONS, b"")))

    answer = shared_door.raw(_request(ESCALATIONS, headers))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert _without_date(answer) == expected
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: Bearer" in head
    assert json.loads(body) == UNAUTHORISED


def test_t_auth_01_a_token_in_the_query_is_no_credential(shared_door):
    """T-AUTH-01: an address ends up in logs, so a token in it opens nothing, and is not taken beside a good one either."""
    alone = shared_door.call("GET", f"{ESCALATIONS}?access_token={AGENT}", token=None)
    beside = shared_door.call("GET", f"{ESCALATIONS}?access_token={AGENT}")

    assert (alone.status, alone.json) == (401, UNAUTHORISED)
    assert (beside.status, beside.code) == (400, "unknown_parameter")


def test_t_auth_01_no_token_reaches_the_log(door, capfd, caplog):
    """T-AUTH-01: neither a good token nor a bad one is written anywhere."""
    door.call("GET", f"{ESCALATIONS}?access_token=cst_planted", token="cst_guessed")
    door.call("GET", ESCALATIONS)

    written = "".join((*capfd.readouterr(), caplog.text))
    assert "cst_" not in written


def test_the_scheme_is_read_as_http_says(shared_door):
    """An authentication scheme is the same in whatever case."""
    assert shared_door.raw(_request(ESCALATIONS, b"authorization: bEaReR cst_secret\r\n")).startswith(b"HTTP/1.1 200 ")


def test_t_auth_02_whoever_guesses_too_often_is_put_off(world, hand_clock):
    """T-AUTH-02: after so many failures an address gets 429 and when to come back; its guesses share one lane of looks."""
    rates = Rates(failures=Rate(per_second=0.001, burst=5))
    with open_door(world, hand_clock, rates=rates, seconds=lambda: 0.0) as door:
        answers = [door.call("GET", ESCALATIONS, token=f"cst_guess{number}") for number in range(8)]

    assert [answer.status for answer in answers] == [401] * 5 + [429] * 3
    assert (answers[-1].code, answers[-1].headers["retry-after"]) == ("too_many_failures", "1000")


def test_t_auth_02_a_neighbours_guesses_lock_nobody_out(world, hand_clock):
    """T-AUTH-02: a good token pays no brake, whether this process has met it or not; so agents behind one proxy live."""
    rates = Rates(failures=Rate(per_second=0.001, burst=2))
    with open_door(world, hand_clock, rates=rates) as door:
        door.call("GET", ESCALATIONS)
        guesses = [door.call("GET", ESCALATIONS, token=f"cst_guess{number}").status for number in range(4)]

        known, unmet = door.call("GET", ESCALATIONS), door.call("GET", ESCALATIONS, token=OTHER_AGENT)

    assert (guesses, known.status, unmet.status) == ([401, 401, 429, 429], 200, 200)


def test_t_auth_02_under_a_flood_of_guesses_after_a_restart_good_tokens_pass(world, hand_clock):
    """T-AUTH-02: with an empty memory and a flood from the same address, each good token is let in, and soon."""
    stop = threading.Event()

    def flood(worker: int) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)) as connection:
            for number in itertools.count():
                if stop.is_set():
                    return
                connection.request("GET", ESCALATIONS, headers={"Authorization": f"Bearer cst_{worker}_{number}"})
                connection.getresponse().read()

    with open_door(world, hand_clock) as door, ThreadPoolExecutor(20) as callers:
        flooding = [callers.submit(flood, worker) for worker in range(20)]
        began = time.monotonic()
        try:
            answers = [door.call("GET", ESCALATIONS, token=token).status for token in (AGENT, OTHER_AGENT, NARROW)]
            took = time.monotonic() - began
        finally:
            stop.set()
        for one in flooding:
            one.result()

    assert answers == [200, 200, 200]
    assert took < 5


def test_t_auth_02_being_known_lets_nobody_in(world, hand_clock):
    """T-AUTH-02: what is remembered of a token opens nothing: revoked, it is refused, and then counts as a guess."""
    rates = Rates(failures=Rate(per_second=0.001, burst=1))
    with open_door(world, hand_clock, rates=rates) as door:
        door.call("GET", ESCALATIONS)
        world.admit.revoke("tok_01JD0000000000000000000000", by="os:olga")

        answers = [door.call("GET", ESCALATIONS).status for _ in range(3)]

    assert answers == [401, 429, 429]


def test_t_auth_02_only_so_many_tokens_are_known(world, hand_clock, monkeypatch):
    """T-AUTH-02: what is remembered is bounded; whoever is forgotten stands in the lane again, and passes."""
    monkeypatch.setattr(credentials, "MOST_KNOWN", 1)
    rates = Rates(failures=Rate(per_second=0.001, burst=2))
    with open_door(world, hand_clock, rates=rates) as door:
        for token in (AGENT, OTHER_AGENT, "cst_guess", "cst_guess", "cst_guess"):
            door.call("GET", ESCALATIONS, token=token)

        latest, forgotten = (door.call("GET", ESCALATIONS, token=token).status for token in (OTHER_AGENT, AGENT))

    assert (latest, forgotten) == (200, 200)


def test_t_auth_02_behind_a_proxy_each_address_has_a_count_of_its_own(world, hand_clock):
    """T-AUTH-02: what a trusted proxy says of where a call comes from counts, and nothing that was said before it."""
    rates = Rates(failures=Rate(per_second=0.001, burst=1))

    def guesses(*forwarded: str, proxies: tuple[Network, ...]) -> list[int]:
        with open_door(world, hand_clock, rates=rates, proxies=proxies) as door:
            return [
                door.call("GET", ESCALATIONS, token="cst_guess", headers={"X-Forwarded-For": one}).status
                for one in forwarded
            ]

    loopback = (ip_network("127.0.0.0/8"),)

    assert guesses("192.0.2.1", "192.0.2.2", "192.0.2.1", proxies=loopback) == [401, 401, 429]
    assert guesses("192.0.2.8, 192.0.2.1", "192.0.2.9, 192.0.2.1", proxies=loopback) == [401, 429]
    assert guesses("192.0.2.1", "192.0.2.2", proxies=()) == [401, 429]


def test_t_auth_02_guesses_cost_the_store_nothing(door):
    """T-AUTH-02: guesses are counted in memory, within bounds, and none of them is written down by itself."""
    before = door.events()

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda number: door.call("GET", ESCALATIONS, token=f"cst_{number}"), range(100)))

    assert door.events() == before


def test_t_auth_03_a_token_is_good_for_its_scope_only(door):
    """T-AUTH-03: outside the token's namespaces it is 403 before policy or cluster are asked, and on record as that."""
    door.world.cluster.down = True

    answer = door.escalate(token=NARROW)

    stored = door.events()[-1]["data"]["request"]
    assert (answer.status, answer.code) == (403, "out_of_scope")
    assert (stored["id"], stored["state"]) == (answer.json["escalation_id"], "refused")
    assert stored["refusal"]["code"] == "out_of_scope"


def test_t_auth_04_expired_and_revoked_tokens_are_out(door, hand_clock):
    """T-AUTH-04: from its end on a token opens nothing, and neither does a revoked one."""
    door.world.admit.revoke("tok_01JD0000000000000000000000", by="os:olga")
    revoked = door.call("GET", ESCALATIONS)
    before = door.call("GET", ESCALATIONS, token=OTHER_AGENT)
    hand_clock.pass_by(timedelta(days=1))
    expired = door.call("GET", ESCALATIONS, token=OTHER_AGENT)

    assert [revoked.status, before.status, expired.status] == [401, 200, 401]
    assert revoked.raw == expired.raw


def test_t_auth_04_what_was_asked_with_a_revoked_token_is_cancelled(door):
    """T-AUTH-04: by its other token the agent is told what became of it; that token's own question is left alone."""
    asked, other = door.escalate().json, door.escalate("key-2", token=FRESH).json
    door.world.admit.revoke("tok_01JD0000000000000000000000", by="os:olga")

    door.world.follow_revocations()

    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}", token=FRESH).json
    assert (told["status"], told["version"], told["decision"]["by"], told["decision"]["reason"]) == (
        "cancelled",
        asked["version"] + 1,
        [],
        "The token it was asked with was revoked.",
    )
    assert door.call("GET", f"{ESCALATIONS}/{other['id']}", token=FRESH).json == other


DECISIONS = [
    (method, f"/{word}")
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET")
    for word in ("approve", "deny", "decision", "vote", "decide")
] + [(method, "") for method in ("POST", "PUT", "PATCH", "DELETE")]


@pytest.mark.parametrize(("method", "path"), DECISIONS)
def test_t_auth_05_an_agent_can_decide_nothing(shared_door, method, path):
    """T-AUTH-05: there is no path on which an agent could answer its own question; it stays pending."""
    asked = shared_door.escalate(f"{method} {path}").json

    answer = shared_door.call(
        method, f"{ESCALATIONS}/{asked['id']}{path}", {"verdict": "approve", "status": "approved"}
    )

    assert answer.status == (404 if path else 405)
    assert shared_door.call("GET", f"{ESCALATIONS}/{asked['id']}").json == asked


def test_t_auth_06_another_agents_escalation_does_not_exist(door):
    """T-AUTH-06: read, cancelled and listed by another agent, an escalation is like one that was never made."""
    asked, never = door.escalate().json, "esc_" + "0" * 26
    paths = [("GET", f"{ESCALATIONS}/{{}}"), ("POST", f"{ESCALATIONS}/{{}}/cancel")]

    for method, path in paths:
        theirs = door.call(method, path.format(asked["id"]), token=OTHER_AGENT)
        nobodys = door.call(method, path.format(never), token=OTHER_AGENT)
        assert (theirs.status, theirs.raw) == (404, nobodys.raw)
    page = door.call("GET", f"{ESCALATIONS}?cursor=esc_{'Z' * 26}", token=OTHER_AGENT).json
    assert page == {"escalations": [], "next_cursor": None}
    assert door.call("GET", f"{ESCALATIONS}/{asked['id']}").json == asked


def test_t_auth_06_the_same_key_of_two_agents_is_two_escalations(door):
    """T-AUTH-06: an idempotency key belongs to its agent, so it cannot be used to read another's escalation."""
    first, second = door.escalate("key-1"), door.escalate("key-1", token=OTHER_AGENT)

    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] != second.json["id"]


NAMING_ANOTHER = {
    "body": ("", b'{"id": "esc_00000000000000000000000002"}'),
    "empty object": ("", b"{}"),
    "query": ("?id=esc_00000000000000000000000002", None),
}


@pytest.mark.parametrize(("query", "body"), NAMING_ANOTHER.values(), ids=NAMING_ANOTHER.keys())
def test_t_auth_07_only_the_path_names_an_escalation(door, query, body):
    """T-AUTH-07: a call that could name another escalation beside its path is refused, and neither is touched."""
    first, second = door.escalate("key-1").json, door.escalate("key-2").json

    answer = door.call("POST", f"{ESCALATIONS}/{first['id']}/cancel{query}", body)

    assert answer.status == 400
    for asked in (first, second):
        assert door.call("GET", f"{ESCALATIONS}/{asked['id']}").json == asked


WRONG_MONITORS = {"none": None, "an agent's": AGENT, "unknown": "cst_nobody"}


@pytest.mark.parametrize("token", WRONG_MONITORS.values(), ids=WRONG_MONITORS.keys())
def test_t_auth_15_alerts_take_a_monitors_token_only(door, token):
    """T-AUTH-15: without its own kind of token nobody delivers alerts."""
    answer = door.call("POST", ALERTS, a_delivery(), token=token)

    assert (answer.status, answer.json) == (401, UNAUTHORISED)
    assert [event["kind"] for event in door.events() if event["kind"].startswith("alert")] == []


MONITORS_ELSEWHERE = [("POST", ESCALATIONS), ("GET", ESCALATIONS), ("GET", f"{ESCALATIONS}/esc_{'0' * 26}")]


@pytest.mark.parametrize(("method", "path"), MONITORS_ELSEWHERE)
def test_t_auth_15_a_monitors_token_delivers_alerts_only(shared_door, method, path):
    """T-AUTH-15: a webhook's credential is none on any other path."""
    answer = shared_door.call(method, path, a_body() if method == "POST" else None, token=MONITOR, key="key-1")

    assert (answer.status, answer.json) == (401, UNAUTHORISED)


def test_t_auth_15_a_monitors_token_finds_no_other_path(shared_door):
    """T-AUTH-15: beside its one path there is nothing under the alerts."""
    assert shared_door.call("POST", "/v1/alerts/other", a_delivery(), token=MONITOR).status == 404


def test_a_stranger_learns_no_paths(shared_door):
    """Whoever has no token gets 401 for every path under the interface, whether it exists or not."""
    answers = {
        shared_door.call("GET", f"/v1{path}", token=None).raw for path in ("/escalations", "/nothing", "/", "/alerts/x")
    }

    assert len(answers) == 1


def test_an_agent_that_left_the_policy_is_refused(door):
    """A token outlives a charter, but asks for nothing without one."""
    door.world.policies.policy = replace(door.world.policies.policy, charters={})

    answer = door.escalate()

    assert (answer.status, answer.code, answer.headers["content-type"]) == (403, "no_charter", PROBLEM)
    assert State(door.events()[-1]["data"]["request"]["state"]) is State.REFUSED
