"""The ports' word: an implementation raises what the port's docstring lists, and nothing else, whatever it meets.

A refusal that a port does not list is a branch that no loop has: what meets it stops, or keeps its place in line for ever.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from sqlalchemy import text

from approvals import errors
from approvals.errors import Forbidden, Refused, Unavailable
from approvals.identity.names import EscalationId
from approvals.identity.people import Authority
from approvals.ports.cluster import Came, Cluster, Reply
from approvals.ports.directory import Directory
from approvals.ports.store import Store, Urgency
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed
from approvals.workflow.pause import Scope, ScopeKind
from bot.keeping import raises_only
from bot.slack.workspace.directory import SlackDirectory
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, body, bound, credential, door_to, on_stage, token_for
from tests.bot.cluster.scripted import Answer, Reset, status
from tests.builders import ADA, GROUP, NOON, TEAM, a_token, a_wish, a_workload, an_action, an_executor
from tests.fakes.cluster import FakeCluster, FakeCredential
from tests.fakes.directory import FakeDirectory
from tests.usecases.looks import tamper
from tests.world import World

ACCOUNT = an_executor()


def listed(method: Callable[..., Any]) -> tuple[type[Refused], ...]:
    """Return the refusals that a port's docstring lists under ``Raises``."""
    _, _, raises = inspect.getdoc(method).partition("Raises:")  # type: ignore[union-attr]
    return tuple(getattr(errors, name) for name in re.findall(r"approvals\.errors\.(\w+):", raises))


CALLS: dict[str, Callable[[Any], Any]] = {
    "preview": lambda door: door.preview(
        a_wish(environment=ENVIRONMENT, action=an_action(replicas=6)),
        verb=verb_called("scale"),
        occasion=PlanSeed(escalation=EscalationId("esc_1"), at=NOON),
    ),
    "mint": lambda door: door.mint(environment=ENVIRONMENT, account=ACCOUNT),
    "observe": lambda door: door.observe(environment=ENVIRONMENT, agent="scaler", bound=bound(), step=0),
    "surroundings": lambda door: door.surroundings(
        environment=ENVIRONMENT, agent="scaler", bound=bound(), step=0, workload=a_workload(), since=NOON
    ),
}


def send(door: Any, minted: Any) -> Reply:
    """Send the one write."""
    reply: Reply = door.send(
        environment=ENVIRONMENT,
        bound=bound(),
        step=0,
        body=body(),
        credential=minted,
        within=timedelta(seconds=5),
    )
    return reply


def test_every_method_of_the_cluster_is_called_here():
    """A method added to the port is added to this suite."""
    methods = {name for name, _ in inspect.getmembers(Cluster, inspect.isfunction) if not name.startswith("_")}

    assert methods == {*CALLS, "send", "mac"}
    assert (listed(Cluster.send), listed(Cluster.mac)) == ((), ())  # The one replies; the other asks nobody anything.


ODD: dict[str, Any] = {
    "nothing": {},
    "no account": {("POST", "token"): status(404, "NotFound")},
    "no right to mint": {("POST", "token"): status(403, "Forbidden")},
    "a token of nothing": {("POST", "token"): Answer(status=201, body={"status": {"token": 7}})},
    "a token without an end": {
        ("POST", "token"): Answer(status=201, body={"status": {"token": token_for("x"), "expirationTimestamp": "soon"}})
    },
    "another's token": {
        ("POST", "selfsubjectreviews"): Answer(status=201, body={"status": {"userInfo": {"username": "x"}}})
    },
    "a review of nothing": {("POST", "selfsubjectreviews"): Answer(status=201, body={"status": []})},
    "no namespace": {("GET", "checkout"): status(404, "NotFound")},
    "no right to read": {("GET", "checkout"): status(403, "Forbidden")},
    "not accepted": {("GET", "checkout"): status(401, "Unauthorized")},
    "an object without metadata": {("GET", "checkout"): Answer(body={"kind": "Deployment"})},
    "numbers for words": {("GET", "checkout"): Answer(body={"metadata": 7, "spec": [], "status": "x"})},
    "a scale of nothing": {("GET", "scale"): Answer(body={"metadata": {"resourceVersion": "100"}})},
    "lists of nothing": {("GET", "horizontalpodautoscalers"): Answer(body={"items": [7, None]})},
    "a dry run of nothing": {("PATCH", "scale"): Answer(body={"spec": None})},
    "pods of nothing": {
        ("GET", "pods"): Answer(body={"items": [7, None]}),
        ("GET", "events"): Answer(body={"items": "x"}),
    },
    "a reset": {("GET", "checkout"): Reset()},
    "no cluster": {("GET", "kube-system"): Answer(body={"metadata": None})},
}


@pytest.mark.door
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_the_cluster_door_keeps_the_ports_word(odd, tmp_path):
    """Whatever the API server answers, each method raises what it lists, and the write raises nothing."""
    with on_stage(tmp_path, Backstage(odd=odd)) as (server, door):
        for name, call in CALLS.items():
            try:
                call(door)
            except listed(getattr(Cluster, name)):
                pass
        reply = send(door, credential(server))

    assert reply.came in set(Came)


@pytest.mark.door
@pytest.mark.parametrize("name", CALLS)
def test_a_defect_behind_the_cluster_door_is_an_outage(name, tmp_path, monkeypatch):
    """What nobody foresaw is told as not known now, with the kind of the fault and nothing of its text."""

    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise KeyError("a secret")

    with on_stage(tmp_path, Backstage()) as (_, door):
        monkeypatch.setattr(door.connections, "own", breaks)
        with pytest.raises(Unavailable) as refusal:
            CALLS[name](door)

    assert (refusal.value.code, "secret" in refusal.value.sentence) == ("door_failed", False)


@pytest.mark.door
def test_a_defect_while_sending_is_a_lost_reply(tmp_path, monkeypatch):
    """It may have left by then: only a read can tell (I2)."""

    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise KeyError("a defect")

    monkeypatch.setattr("bot.cluster.execution.executor.Executor.send", breaks)
    with on_stage(tmp_path, Backstage()) as (server, door):
        assert send(door, credential(server)).came is Came.LOST


@pytest.mark.door
def test_a_server_that_is_gone_keeps_the_ports_word(tmp_path):
    """So does no server at all."""
    with on_stage(tmp_path, Backstage()) as (server, _):
        door, minted = door_to(server, tmp_path), credential(server)
    for call in CALLS.values():
        with pytest.raises(Unavailable):
            call(door)

    assert send(door, minted).came is Came.NOT_SENT


FAKES: dict[str, Callable[[], FakeCluster]] = {
    "well": FakeCluster.with_checkout,
    "down": lambda: FakeCluster.with_checkout(down=True),
    "empty": FakeCluster,
    "no right to mint": lambda: FakeCluster.with_checkout(mint_refusal=Forbidden("No.")),
}


@pytest.mark.parametrize("make", FAKES.values(), ids=FAKES)
def test_the_fake_cluster_keeps_the_ports_word(make):
    """What tests rest on promises no more and no less than what runs."""
    cluster = make()
    for name, call in CALLS.items():
        try:
            call(cluster)
        except listed(getattr(Cluster, name)):
            pass

    assert send(cluster, FakeCredential(token_id=None, expires_at=NOON)).came in set(Came)


class OddSlack:
    """A Web API client every call of which raises the same."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            raise self._error

        return call


SLACKS = {
    "not reachable": OSError("no route"),
    "a refusal": SlackApiError("no", {"error": "org_login_required"}),
    "no JSON": ValueError("not JSON"),
    "a defect": KeyError("user"),
}


@contextmanager
def slack_that(error: Exception) -> Iterator[SlackDirectory]:
    """Give a directory whose every question ends in *error*."""
    directory = SlackDirectory(OddSlack(error), team=TEAM)  # type: ignore[arg-type]
    yield directory
    directory.close()


def asked(directory: Any) -> Authority:
    """Ask about one account and one group."""
    found: Authority = directory.authority(accounts=(ADA,), groups=(GROUP,), at=NOON, lane=Urgency.URGENT)
    return found


@pytest.mark.parametrize("error", SLACKS.values(), ids=SLACKS)
def test_the_directory_keeps_the_ports_word(error):
    """It lists no refusal: what it cannot find out is missing from the answer."""
    with slack_that(error) as directory:
        found = asked(directory)

    assert listed(Directory.authority) == ()
    assert found == Authority(standings={}, groups={})


def test_the_fake_directory_keeps_the_ports_word():
    """So does the fake, while it is down."""
    directory = FakeDirectory()
    directory.down = True

    assert asked(directory) == Authority(standings={}, groups={})


def test_what_the_store_lists():
    """Reads are not known or known; a write may meet somebody faster."""
    assert [listed(getattr(Store, way)) for way in ("reading", "glancing", "writing")] == [
        (errors.Unavailable,),
        (errors.Unavailable,),
        (errors.Clash, errors.Unavailable),
    ]


LOOKS: dict[str, Callable[[Any, Any], Any]] = {
    "request": lambda reading, ids: reading.request(ids["request"]),
    "question": lambda reading, ids: reading.question(ids["request"]),
    "requests_of": lambda reading, _: reading.requests_of("scaler", state=None, limit=5, cursor=None),
    "standing": lambda reading, _: reading.standing("scaler", "key-1"),
    "overdue": lambda reading, _: reading.overdue(limit=5),
    "asked_otherwise": lambda reading, _: reading.asked_otherwise(limit=5),
    "is_in_play": lambda reading, _: reading.is_in_play(Scope(kind=ScopeKind.ALL)),
    "asked_with_revoked_tokens": lambda reading, _: reading.asked_with_revoked_tokens(limit=5),
    "votes": lambda reading, ids: reading.votes(ids["request"]),
    "execution_of": lambda reading, ids: reading.execution_of(ids["request"]),
    "execution": lambda reading, ids: reading.execution(ids["execution"]),
    "due_executions": lambda reading, _: reading.due_executions(limit=5),
    "plan": lambda reading, ids: reading.plan(ids["fingerprint"]),
    "texts": lambda reading, ids: reading.texts(ids["request"]),
    "token": lambda reading, _: reading.token(a_token().id),
    "tokens": lambda reading, _: reading.tokens(),
    "pauses": lambda reading, _: reading.pauses(),
}
BROKEN = {
    "a word that this version does not know": "UPDATE executions SET reason = 'no such reason'",
    "a ruling that is no JSON": "UPDATE escalations SET ruling = '{'",
    "an action of another shape": "UPDATE escalations SET action = '[]'",
    "evidence of another shape": "UPDATE plans SET evidence = '{}'",
    "scopes that are no list": "UPDATE agent_tokens SET environments = '7'",
}


@pytest.mark.parametrize("statement", BROKEN.values(), ids=BROKEN)
def test_a_store_with_a_broken_row_keeps_the_ports_word(sqlite_store, statement):
    """Whatever stands in a row, what is asked raises what the port lists: the caller has a branch for that."""
    world = World(sqlite_store).settled()
    request = world.answers(world.pending()).request
    with world.store.reading() as reading:
        execution = reading.execution_of(request.id)
    assert execution is not None
    ids = {"request": request.id, "execution": execution.id, "fingerprint": request.fingerprint}
    tamper(world, statement)

    for look in LOOKS.values():
        try:
            with world.store.reading() as reading:
                look(reading, ids)
        except listed(Store.reading):
            pass


def test_a_store_that_refuses_a_row_is_unavailable(sqlite_store):
    """A constraint that fails is a fault of ours: an outage to whoever asked."""
    with pytest.raises(Unavailable) as refusal, sqlite_store.writing() as uow:
        uow.connection.execute(text("INSERT INTO gate (id, epoch) VALUES (2, 0)"))

    assert refusal.value.code == "inconsistent"


def test_a_store_that_is_no_database_is_unavailable(sqlite_store):
    """A broken file is an outage, too."""
    sqlite_store.database.close()
    path = sqlite_store.database.url.database
    with open(path, "r+b") as file:  # noqa: PTH123
        file.write(b"\x00" * 4096)

    with pytest.raises(Unavailable) as refusal, sqlite_store.reading() as reading:
        reading.epoch()

    assert refusal.value.code in {"store_broken", "unavailable", "schema"}


def test_what_a_method_lists_goes_through_and_all_else_is_unavailable():
    """The listed refusals are the caller's to tell apart; others keep their sentence and code."""

    @raises_only(Forbidden)
    def method(error: Exception) -> None:
        raise error

    for error, kind, code in (
        (Forbidden("No.", code="cannot_mint"), Forbidden, "cannot_mint"),
        (errors.Malformed("Odd.", code="odd"), Unavailable, "odd"),
        (ZeroDivisionError(), Unavailable, "door_failed"),
        (Unavailable("Down.", code="down"), Unavailable, "down"),
    ):
        with pytest.raises(kind) as refusal:
            method(error)
        assert refusal.value.code == code
