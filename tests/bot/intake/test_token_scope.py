"""Narrowed tokens: what lies outside of a token's scope does not exist for it, though it is its own agent's (I16)."""

from dataclasses import replace

import pytest

import models.store.reading
from approvals.identity.tokens import TokenKind
from tests.bot.intake.support import ESCALATIONS, open_door, scaling
from tests.builders import MINUTE

SHOP = "cst_shop"
ELSEWHERE = {
    "namespace": {"namespaces": ("staging",)},
    "environment": {"environments": ("prod-eu-1",), "namespaces": ("staging",)},
    "both": {"environments": ("prod-us-1",), "namespaces": ("shop",)},
}


@pytest.fixture
def narrow(world, hand_clock):
    """A door at which ``scaler`` has tokens for one place only, and makes more of them."""
    _token(world, SHOP, environments=("prod-eu-1",), namespaces=("shop",))
    with open_door(world, hand_clock) as opened:
        yield opened


def _token(world, secret, environments=(), namespaces=()):
    policy = world.policies.policy
    known = {**policy.environments, "prod-us-1": policy.environments["prod-eu-1"]}
    world.policies.policy = replace(policy, environments=known)
    world.admit.create(
        secret,
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=environments,
        namespaces=namespaces,
        good_for=60 * MINUTE,
        by="os:olga",
    )


def _elsewhere(replicas=6):
    """Return a body about a namespace that the token ``SHOP`` may not be used for."""
    action = scaling(replicas)
    return {"action": action | {"target": action["target"] | {"namespace": "staging"}}}


@pytest.mark.parametrize("scope", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_lies_outside_of_a_tokens_scope_does_not_exist_for_it(narrow, scope):
    """Shown, awaited and taken back it is 404 like an unknown id, at once, and nothing of it has changed."""
    _token(narrow.world, "cst_elsewhere", **scope)
    asked = narrow.escalate().json
    path, unknown = f"{ESCALATIONS}/{asked['id']}", f"{ESCALATIONS}/esc_{'0' * 26}"

    def answers(path):
        return [
            narrow.call(method, path + more, token="cst_elsewhere")
            for method, more in (("GET", ""), ("GET", "?after_version=1&wait_seconds=60"), ("POST", "/cancel"))
        ]

    hidden = answers(path)

    assert [answer.status for answer in hidden] == [404] * 3
    assert [answer.raw for answer in hidden] == [answer.raw for answer in answers(unknown)]
    assert narrow.call("GET", path).json == asked


def test_a_token_that_names_the_very_place_reads_and_takes_back(narrow):
    """Inside of its scope a narrowed token can do what a wide one can, whichever token asked."""
    asked = narrow.escalate().json

    again = narrow.escalate(token=SHOP)
    shown = narrow.call("GET", f"{ESCALATIONS}/{asked['id']}", token=SHOP)
    cancelled = narrow.call("POST", f"{ESCALATIONS}/{asked['id']}/cancel", token=SHOP)

    assert [(answer.status, answer.json) for answer in (again, shown)] == [(200, asked)] * 2
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")


def test_a_used_key_tells_a_token_nothing_outside_of_its_scope(narrow):
    """Sent again with a token that may not act there, the same body is refused, and its answer holds nothing of the original."""
    narrow.escalate()
    _token(narrow.world, "cst_elsewhere", namespaces=("staging",))

    answer = narrow.escalate(token="cst_elsewhere")

    assert (answer.status, answer.json) == (
        403,
        {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": "This token may not be used for that namespace.",
            "code": "out_of_scope",
            "field": "/action/target/namespace",
        },
    )
    (refusal,) = [event["data"] for event in narrow.events() if event["kind"] == "intake.refused"]
    assert (refusal["code"], refusal["field"]) == ("out_of_scope", "/action/target/namespace")


def test_a_token_is_told_again_what_it_was_told(narrow):
    """What was refused to this very token because of its scope is refused in the same words under the same key, id and all."""
    first = narrow.escalate(token=SHOP, **_elsewhere())

    again = narrow.escalate(token=SHOP, **_elsewhere())

    assert (first.status, first.code) == (403, "out_of_scope")
    assert (again.status, again.json) == (403, first.json)


def _pages(door, query, *, token):
    """Return the ids on every page, following the cursors."""
    pages, path = [], f"{ESCALATIONS}?{query}"
    while path:
        page = door.call("GET", path, token=token).json
        pages.append([one["id"] for one in page["escalations"]])
        path = page["next_cursor"] and f"{ESCALATIONS}?{query}&cursor={page['next_cursor']}"
    return pages


@pytest.fixture
def mixed(narrow):
    """Ten escalations, every other one outside of the scope of ``SHOP``; the ids of those inside, newest first."""
    inside = []
    for number in range(5):
        inside.append(narrow.escalate(f"in-{number}").json["id"])
        narrow.escalate(f"out-{number}", **_elsewhere(10 + number))
    return inside[::-1]


def test_a_list_leaves_out_what_lies_outside_and_its_pages_stay_full(narrow, mixed):
    """What a token may not see takes no room on its pages; the cursor leads to every one that it may, once, in order."""
    narrowed = _pages(narrow, "limit=2", token=SHOP)

    assert narrowed == [mixed[:2], mixed[2:4], mixed[4:]]


def test_a_look_at_a_list_is_bounded(narrow, mixed, monkeypatch):
    """However much lies outside, one call looks at so much and no more; the page is short, and its cursor goes on (I13)."""
    monkeypatch.setattr(models.store.reading, "MOST_PASSED", 3)

    narrowed = _pages(narrow, "limit=3", token=SHOP)

    assert narrowed == [mixed[:1], mixed[1:3], mixed[3:4], mixed[4:]]
