"""Opening, reading, listing and taking back: statuses, repeats and refusals."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.usecases.people.decide import PersonsAnswer
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, Via
from bot.intake.deps import Rates
from bot.intake.gate.rates import Rate
from bot.intake.routes import escalations
from bot.runtime.pools import BoundedPool
from models.outbox.cards import Cards
from tests.bot.intake.support import ESCALATIONS, NARROW, OTHER_AGENT, a_body, open_door, small_pools
from tests.builders import ADA, MINUTE, a_denial
from tests.waiting import wait_until


def test_an_escalation_is_taken_on(door):
    """202 with everything the agent needs to go on: what would change, by when, by which rule."""
    answer = door.escalate()

    escalation = answer.json
    assert answer.status == 202
    assert answer.headers["location"] == f"{ESCALATIONS}/{escalation['id']}"
    assert {name: value for name, value in escalation.items() if name not in {"id", "fingerprint"}} == {
        "version": 1,
        "status": "pending",
        "deadline": "2026-11-20T12:15:00.000000Z",
        "shown_at": None,
        "diff": [{"path": "/spec/replicas", "before": 3, "after": 6}],
        "ruling": {"rule": "shop-changes", "reasons": ["Rule shop-changes asks platform."]},
        "decision": None,
        "execution": None,
        "superseded_by": None,
        "earlier": [],
    }


def test_the_same_key_and_body_give_the_original_again(door):
    """A repeat is 200 with the escalation as it stands, however its JSON is laid out; nothing is made twice."""
    first = door.escalate().json
    turned = (
        b'{"rationale": "p99 is 4.1 s against an objective of 1 s",\n "action": {"parameters": {"replicas": 6}, '
        b'"target": {"name": "checkout", "namespace": "shop", "kind": "Deployment"}, "verb": "scale"}, '
        b'"environment": "prod-eu-1"}'
    )

    again, laid_out = door.escalate(), door.call("POST", ESCALATIONS, turned, key="key-1")

    assert (again.status, again.json) == (200, first)
    assert (laid_out.status, laid_out.json) == (200, first)
    assert len(door.call("GET", ESCALATIONS).json["escalations"]) == 1


def test_the_same_key_with_another_body_is_refused(door):
    """409: one key stands for one body, and the first one is not touched."""
    first = door.escalate().json

    answer = door.escalate(rationale="another")

    assert (answer.status, answer.code) == (409, "idempotency_key_reused")
    assert door.call("GET", f"{ESCALATIONS}/{first['id']}").json == first


def test_eight_deliveries_of_one_key_at_once_make_one_escalation(door):
    """Racing repeats all get the one escalation; exactly one of them made it."""
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: door.escalate(), range(8)))

    assert sorted(answer.status for answer in answers) == [200] * 7 + [202]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_a_refusal_by_policy_is_on_record_and_repeated(door):
    """403 with the id under which it is stored; the same key gets the same refusal, even if the policy has changed since."""
    policy = door.world.policies.policy
    denial = a_denial(reason="Not on Fridays.", namespaces=frozenset({"shop"}))
    door.world.policies.policy = replace(policy, rules=(*policy.rules, denial))
    refused = door.escalate()
    door.world.policies.policy = policy

    again, other = door.escalate(), door.escalate(rationale="another")

    assert (refused.status, refused.json) == (
        403,
        {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": "Rule never denies it: Not on Fridays.",
            "code": "policy_denied",
            "escalation_id": refused.json["escalation_id"],
        },
    )
    assert (again.status, again.json) == (403, refused.json)
    assert (other.status, other.code) == (409, "idempotency_key_reused")


def test_a_refused_escalation_can_be_read_and_not_taken_back(door):
    """Its agent can look it up; there is nothing to cancel."""
    refused = door.escalate(token=NARROW).json["escalation_id"]

    read = door.call("GET", f"{ESCALATIONS}/{refused}").json
    cancelled = door.call("POST", f"{ESCALATIONS}/{refused}/cancel")

    assert (read["status"], read["decision"]["outcome"], read["diff"]) == ("refused", "refused", [])
    assert read["decision"]["reason"] == "This token may not be used for that namespace."
    assert cancelled.status == 404


def test_a_pause_refuses_what_is_new(door):
    """403 with the code of a pause, on record."""
    door.world.pause(Scope(kind=ScopeKind.ALL), account=ADA, duration=None, reason="")

    answer = door.escalate()

    assert (answer.status, answer.code) == (403, "paused")
    assert answer.json["escalation_id"].startswith("esc_")


def test_what_cannot_be_previewed_binds_no_key(door):
    """422 where the target does not exist; the same key may be used again once it does."""
    gone = door.world.cluster.objects.pop(("Deployment", "shop", "checkout"))
    refused = door.escalate()
    door.world.cluster.objects["Deployment", "shop", "checkout"] = gone

    taken = door.escalate()

    assert (refused.status, refused.code) == (422, "target_not_found")
    assert taken.status == 202


def test_a_cluster_that_does_not_answer_is_not_a_no(door):
    """503 with the time to come back; nothing is stored, and the key is free."""
    door.world.cluster.down = True
    refused = door.escalate()
    door.world.cluster.down = False

    taken = door.escalate()

    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "cluster_unavailable", "2")
    assert taken.status == 202


def test_the_decision_and_the_execution_are_told(door):
    """Once approved, the agent sees who decided and how far it is carried out, and the version has risen."""
    asked = door.escalate().json
    door.world.answers(_request(door, asked["id"]))

    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}").json

    assert told["version"] > asked["version"]
    assert (told["status"], told["execution"]["status"]) == ("approved", "queued")
    assert (told["decision"]["outcome"], told["decision"]["by"]) == ("approved", [ADA])


def test_a_denial_is_told_with_its_reason(door):
    """The words of whoever denied reach the agent that asked."""
    asked = door.escalate().json
    door.world.decide(
        PersonsAnswer(
            request=asked["id"],
            account=ADA,
            answer=Answer.DENY,
            via=Via.SLACK,
            fingerprint=asked["fingerprint"][:12],
            reason="Scale the cache instead.",
        )
    )

    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}").json

    assert told["status"] == "denied"
    assert told["decision"]["reason"] == "Scale the cache instead."


def test_taking_back_is_told_once(door):
    """200 with the escalation cancelled; a second time it is decided already."""
    asked = door.escalate().json

    first = door.call("POST", f"{ESCALATIONS}/{asked['id']}/cancel")
    second = door.call("POST", f"{ESCALATIONS}/{asked['id']}/cancel")

    assert (first.status, first.json["status"]) == (200, "cancelled")
    assert (second.status, second.code) == (409, "already_decided")


def test_a_list_is_read_page_by_page(door):
    """Newest first, each exactly once, until there is no cursor; only the agent's own, and by status where asked."""
    made = [door.escalate(f"key-{number}").json["id"] for number in range(5)]
    door.escalate(token=OTHER_AGENT)
    door.call("POST", f"{ESCALATIONS}/{made[2]}/cancel")

    found, path = [], f"{ESCALATIONS}?limit=2"
    while path:
        page = door.call("GET", path).json
        found += [one["id"] for one in page["escalations"]]
        path = page["next_cursor"] and f"{ESCALATIONS}?limit=2&cursor={page['next_cursor']}"
    pending = door.call("GET", f"{ESCALATIONS}?status=pending").json["escalations"]

    assert found == made[::-1]
    assert [one["id"] for one in pending] == [made[4], made[3], made[1], made[0]]


BAD_QUERIES = {
    "limit 0": ("limit=0", 422, "out_of_range"),
    "limit 201": ("limit=201", 422, "out_of_range"),
    "limit a word": ("limit=all", 422, "wrong_type"),
    "limit padded": ("limit=%2B5", 422, "wrong_type"),
    "limit in wide digits": ("limit=%EF%BC%95", 422, "wrong_type"),
    "limit twice": ("limit=1&limit=2", 400, "duplicate_parameter"),
    "no such status": ("status=open", 422, "wrong_type"),
    "cursor of another kind": ("cursor=tok_1", 422, "wrong_format"),
    "cursor with NUL": ("cursor=esc_%00", 422, "wrong_format"),
    "unknown": ("agent=pruner", 400, "unknown_parameter"),
    "no value": ("limit", 400, "query_malformed"),
    "not UTF-8": ("status=%ff", 400, "query_malformed"),
    "many": ("&".join(["limit=1"] * 50), 400, "query_malformed"),
}


@pytest.mark.parametrize(("query", "status", "code"), BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_a_query_is_read_strictly(shared_door, query, status, code):
    """A parameter that is unknown, doubled or not what it should be is refused, not passed over."""
    answer = shared_door.call("GET", f"{ESCALATIONS}?{query}")

    assert (answer.status, answer.code) == (status, code)


IMPOSSIBLE_IDS = [
    "esc_1",
    "%00",
    "esc_" + "%00" * 26,
    "..%2f..",
    "tok_01JD0000000000000000000000",
    "x" * 3000,
    "%F0%9F%92%A9",
]


@pytest.mark.parametrize("asked", IMPOSSIBLE_IDS)
def test_an_id_that_cannot_be_one_does_not_exist(shared_door, asked):
    """Whatever stands in the path, it is 404."""
    assert shared_door.call("GET", f"{ESCALATIONS}/{asked}").status == 404


def test_an_agent_has_only_so_many_questions_open(world, hand_clock):
    """429 above the bound on open questions; it binds no key (I13)."""
    world.escalate = replace(world.escalate, most_pending=2)
    with open_door(world, hand_clock) as door:
        statuses = [door.escalate(f"key-{number}").status for number in range(3)]
        last = door.escalate("key-2")
        other = door.escalate("key-2", token=OTHER_AGENT)

    assert statuses == [202, 202, 429]
    assert (last.code, last.headers["retry-after"], other.status) == ("too_many_pending", "30", 202)


def test_escalations_and_calls_have_a_pace(world, hand_clock):
    """429 with the time to wait above either pace; another agent is not affected (I13)."""
    rates = Rates(escalations=Rate(per_second=0.01, burst=2), calls=Rate(per_second=0.01, burst=6))
    with open_door(world, hand_clock, rates=rates, seconds=lambda: 0.0) as door:
        escalations = [door.escalate(f"key-{number}") for number in range(3)]
        calls = [door.call("GET", ESCALATIONS) for _ in range(4)]
        other = door.escalate(token=OTHER_AGENT)

    assert [answer.status for answer in escalations] == [202, 202, 429]
    assert [answer.status for answer in calls] == [200, 200, 200, 429]
    assert (escalations[-1].code, calls[-1].code, other.status) == ("too_many_escalations", "too_many_calls", 202)
    assert calls[-1].headers["retry-after"] == "100"


def test_a_second_token_buys_no_second_pace(world, hand_clock):
    """The pace is the agent's, however many tokens it has."""
    rates = Rates(calls=Rate(per_second=0.01, burst=2))
    with open_door(world, hand_clock, rates=rates) as door:
        answers = [door.call("GET", ESCALATIONS, token=token).status for token in ("cst_secret", NARROW, "cst_secret")]

    assert answers == [200, 200, 429]


class SlowCluster:
    """A cluster that begins to answer when it is let, and knows how many asked at once."""

    def __init__(self, cluster):
        self.asking = self.most = 0
        self.answer = threading.Event()
        self._cluster = cluster
        self._lock = threading.Lock()

    def preview(self, wish, **planned):
        """Wait, then answer."""
        with self._lock:
            self.asking += 1
            self.most = max(self.most, self.asking)
        assert self.answer.wait(30)
        with self._lock:
            self.asking -= 1
        return self._cluster.preview(wish, **planned)


@pytest.fixture
def slow(world):
    """A slow cluster under the world's escalations."""
    cluster = SlowCluster(world.cluster)
    world.escalate = replace(world.escalate, cluster=cluster)
    yield cluster
    cluster.answer.set()


def _eight_threads():
    return replace(small_pools(), cluster=BoundedPool("cluster", threads=8, queue=32))


def test_a_slow_cluster_delays_only_who_asks_it(world, hand_clock, slow):
    """However slow previews are, half of the cluster's threads stay free for executions, and reads go on (I13)."""
    with open_door(world, hand_clock, pools=_eight_threads()) as door, ThreadPoolExecutor(6) as callers:
        waiting = [callers.submit(door.escalate, f"key-{number}") for number in range(6)]
        wait_until(lambda: slow.asking == 4, what="four previews are under way")

        read = door.call("GET", ESCALATIONS)
        slow.answer.set()
        answers = [one.result(30).status for one in waiting]

    assert (read.status, answers, slow.most) == (200, [202] * 6, 4)


def test_only_so_many_previews_wait(world, hand_clock, slow, monkeypatch):
    """429 above the bound, at once, instead of a queue behind a cluster that does not answer (I13)."""
    monkeypatch.setattr(escalations, "MOST_PLANS", 4)
    with open_door(world, hand_clock, pools=_eight_threads()) as door, ThreadPoolExecutor(4) as callers:
        waiting = [callers.submit(door.escalate, f"key-{number}") for number in range(4)]
        wait_until(lambda: slow.asking == 4, what="four previews are under way")

        refused = door.escalate("one more")
        slow.answer.set()
        answers = [one.result(30).status for one in waiting]

    assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, "too_many_plans", "1")
    assert answers == [202] * 4


def test_the_agents_timeout_may_only_shorten(door):
    """A longer wait than the rule allows is cut to the rule's, and the answer says so."""
    shorter, longer = (
        door.escalate("key-2", timeout_seconds=120).json,
        door.escalate("key-3", timeout_seconds=86400).json,
    )

    assert shorter["deadline"] == "2026-11-20T12:02:00.000000Z"
    assert longer["deadline"] == "2026-11-20T13:00:00.000000Z"
    assert "The agent asked for 86400 seconds; the rules allow 3600 seconds at most." in longer["ruling"]["reasons"]


def test_silence_is_told_as_silence(door, hand_clock):
    """At the deadline the agent reads that it expired, and by nobody."""
    asked = door.escalate().json
    hand_clock.pass_by(15 * MINUTE)
    door.world.expire()

    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}").json

    assert (told["status"], told["decision"]["by"]) == ("expired", [])
    assert (told["shown_at"], told["decision"]["code"]) == (None, "expired_unseen")


def test_an_agent_reads_since_when_its_question_can_be_seen(door, hand_clock):
    """Null until a card of it stands in its channel: an agent can tell silence from a question that nobody was shown."""
    asked = door.escalate().json
    cards = Cards(door.world.store)
    hand_clock.pass_by(MINUTE)
    (task,) = cards.behind(limit=10)
    cards.posted(task, "1.1")

    told = door.call("GET", f"{ESCALATIONS}/{asked['id']}").json

    assert (asked["shown_at"], told["shown_at"]) == (None, "2026-11-20T12:01:00.000000Z")


def test_a_body_is_hashed_by_what_it_says(door):
    """0.80 and 0.8 are written differently and so are two bodies; blanks are not."""
    door.escalate(confidence=0.8)

    answers = [
        door.call("POST", ESCALATIONS, text, key="key-1").status
        for text in (
            str(a_body()).replace("'", '"').replace("}", " }").encode()[:-2] + b', "confidence" : 0.8 }',
            str(a_body()).replace("'", '"').encode()[:-1] + b', "confidence": 0.80}',
        )
    ]

    assert answers == [200, 409]


def _request(door, asked):
    with door.world.store.reading() as reading:
        return reading.request(asked)


def test_the_same_effect_under_another_key_is_the_question_that_waits(door):
    """200 with the original, word for word; the new key stands for it, and with another body it is 409."""
    first = door.escalate("key-1")
    same = door.call("POST", ESCALATIONS, a_body(rationale="again"), key="key-2")
    repeat = door.call("POST", ESCALATIONS, a_body(rationale="again"), key="key-2")
    other = door.call("POST", ESCALATIONS, a_body(rationale="and again"), key="key-2")
    stranger = door.escalate("key-1", token=OTHER_AGENT)

    assert [(one.status, one.json) for one in (same, repeat)] == [(200, first.json)] * 2
    assert same.headers["location"] == first.headers["location"]
    assert (other.status, stranger.status, stranger.json["earlier"]) == (409, 202, [])


def test_an_agent_hears_what_became_of_the_same_effect_lately(door, hand_clock):
    """Its own only, newest first, on the answer and whenever it asks how it stands."""
    door.escalate("key-1", token=OTHER_AGENT)
    first = door.escalate("key-1").json
    door.call("POST", f"{ESCALATIONS}/{first['id']}/cancel")
    hand_clock.pass_by(timedelta(minutes=1))

    second = door.call("POST", ESCALATIONS, a_body(), key="key-2").json

    assert second["earlier"] == [
        {
            "id": first["id"],
            "status": "cancelled",
            "asked_at": "2026-11-20T12:00:00.000000Z",
            "decided_at": "2026-11-20T12:00:00.000000Z",
        }
    ]
    assert door.call("GET", f"{ESCALATIONS}/{second['id']}").json == second
