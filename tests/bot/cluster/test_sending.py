import socket
from datetime import timedelta

import pytest

from approvals.ports.cluster import Came, Reply
from approvals.usecases.execution.read_back import REQUEST_TIMEOUT
from approvals.workflow.execution import LEASE
from approvals.workflow.starting import START_TO_SEND
from bot.cluster.door import ASKING, WRITING
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, body, bound, credential, door_to, on_stage
from tests.bot.cluster.scripted import Answer, Reset, Silence, serving, status
from tests.builders import HOUR, INSTALLATION, a_change, a_workload, scale_of

NO_CONNECTION = "No connection to the cluster came about: nothing listens there (connection refused)."


def _send(server, door, **changed):
    token = changed.pop("credential", None) or credential(server)
    within = changed.pop("within", HOUR)
    return door.send(environment=ENVIRONMENT, bound=bound(), step=0, body=body(), credential=token, within=within)


def _sent(server):
    return [request for request in server.received if request.method == "PATCH"]


def test_the_write_leaves_once_exactly_as_committed(tmp_path):
    """The bytes whose hash stands in the attempt leave as they are, once, marked with the escalation's field manager."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        reply = _send(server, door)

    (request,) = _sent(server)
    assert reply == Reply(came=Came.APPLIED, status=200, message="Applied.")
    assert request.path == "/apis/apps/v1/namespaces/shop/deployments/checkout/scale"
    assert request.body == body()
    assert request.query == {"fieldManager": f"countersign:{bound().escalation}", "fieldValidation": "Strict"}
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.headers["user-agent"] == f"countersign/1 req/{bound().escalation}"


OUTCOMES = [
    (status(401, "Unauthorized"), Came.EXPIRED, "The cluster did not accept the executor's token (401 Unauthorized)."),
    (status(403, "Forbidden"), Came.REJECTED, "The cluster refused it (403 Forbidden)."),
    (status(404, "NotFound"), Came.REJECTED, "The cluster refused it (404 NotFound)."),
    (status(409, "Conflict"), Came.CONFLICT, "Somebody changed the target in between (409 Conflict)."),
    (status(400, "BadRequest"), Came.REJECTED, "The cluster refused it (400 BadRequest)."),
    (
        status(422, "Invalid", causes=[{"field": "metadata.uid", "message": "secret"}]),
        Came.REJECTED,
        "The cluster refused it (422 Invalid, at metadata.uid).",
    ),
    (status(429, "TooManyRequests"), Came.BUSY, "The cluster is busy and did not take it on (429 TooManyRequests)."),
    (Answer(status=429, body=b"Too many"), Came.BUSY, "The cluster is busy and did not take it on (429)."),
    (status(500, "InternalError"), Came.LOST, "Whether it took effect is not certain (500 InternalError)."),
    (status(503, "ServiceUnavailable"), Came.LOST, "Whether it took effect is not certain (503 ServiceUnavailable)."),
    (status(504, "Timeout"), Came.LOST, "Whether it took effect is not certain (504 Timeout)."),
    (Answer(status=502, body=b"<html>"), Came.LOST, "Whether it took effect is not certain (502)."),
    (Answer(status=403, body=b"<html>"), Came.LOST, "Whether it took effect is not certain (403)."),
    (Answer(status=302, body=b""), Came.LOST, "Whether it took effect is not certain (302)."),
    (Answer(status=200, body=b"garbage"), Came.LOST, "Whether it took effect is not certain (200)."),
    (Answer(status=200, body={"a": 1}, cut_after=3), Came.LOST, "The cluster's answer to the write was lost."),
    (Reset(), Came.LOST, "The cluster's answer to the write was lost."),
    (Silence(), Came.LOST, "The cluster's answer to the write was lost."),
]


@pytest.mark.parametrize(("outcome", "came", "message"), OUTCOMES)
def test_every_outcome_of_the_write_has_its_meaning(tmp_path, outcome, came, message):
    """What certainly did not happen is told from what may have, in words of ours, and nothing is sent twice (I2, I12)."""
    with on_stage(tmp_path, Backstage(odd={("PATCH", "scale"): outcome})) as (server, door):
        reply = _send(server, door)

        assert len(_sent(server)) == 1
    assert (reply.came, reply.message) == (came, message)
    assert reply.status == getattr(outcome, "status", None) or came is Came.LOST


def test_a_refused_connection_is_not_sent(tmp_path):
    """Where nobody listens nothing left, so it may be tried anew."""
    with serving(Backstage()) as server:
        door, token = door_to(server, tmp_path), credential(server)

    reply = _send(server, door, credential=token)

    why = "The cluster did not answer, so nothing was sent: nothing listens there (connection refused)."
    assert reply == Reply(came=Came.NOT_SENT, message=why)


def test_a_connection_lost_between_look_and_write_is_not_sent(tmp_path):
    """The look succeeded and the write found nobody: its body never left."""
    with serving(Backstage()) as server:
        door, token = door_to(server, tmp_path), credential(server)

        def last(request):
            server._listener.shutdown(socket.SHUT_RDWR)
            server._listener.close()
            return Answer(body=scale_of(a_workload()))

        server.script = last
        reply = _send(server, door, credential=token)

    assert reply == Reply(came=Came.NOT_SENT, message=NO_CONNECTION)


@pytest.mark.parametrize(
    ("outcome", "came"),
    [
        (Reset(), Came.NOT_SENT),
        (Silence(), Came.NOT_SENT),
        (status(500, "InternalError"), Came.NOT_SENT),
        (Answer(body=b"garbage"), Came.NOT_SENT),
        (status(401, "Unauthorized"), Came.EXPIRED),
        (status(403, "Forbidden"), Came.REJECTED),
        (status(404, "NotFound"), Came.REJECTED),
        (status(429, "TooManyRequests"), Came.BUSY),
    ],
)
def test_nothing_is_written_that_could_not_be_looked_at(tmp_path, outcome, came):
    """The look before the write fails: whatever the reason, no write leaves, and the outcome is certain."""
    with on_stage(tmp_path, Backstage(odd={("GET", "scale"): outcome})) as (server, door):
        reply = _send(server, door)

    assert (reply.came, _sent(server)) == (came, [])


@pytest.mark.parametrize(
    ("after", "otherwise"),
    [
        (scale_of(a_workload(replicas=7)), a_change(before=6, after=7)),
        (scale_of(a_workload(replicas=3)), a_change(before=6, after=3)),
        (
            {**scale_of(a_workload(replicas=6)), "spec": {"replicas": 6, "surprise": True}},
            a_change("/spec/surprise", None, True),
        ),
    ],
    ids=["another value", "no change", "something beside it"],
)
def test_an_answer_that_is_not_the_plan_is_told(tmp_path, after, otherwise):
    """A write that came to something else than was approved is applied, and said not to be as planned (I8)."""
    with on_stage(tmp_path, Backstage(odd={("PATCH", "scale"): Answer(body=after)})) as (server, door):
        reply = _send(server, door)

    message = "Applied, and the cluster's answer is not what was planned."
    assert reply == Reply(came=Came.APPLIED, status=200, message=message, as_planned=False, departures=(otherwise,))


def test_what_was_looked_at_must_be_what_was_changed(tmp_path):
    """An object seen in another state than the write names proves nothing about the write, so it is no "as planned"."""
    moved = scale_of(a_workload())
    moved["metadata"]["resourceVersion"] = "101"
    with on_stage(tmp_path, Backstage(odd={("GET", "scale"): Answer(body=moved)})) as (server, door):
        reply = _send(server, door)

    assert (reply.came, reply.as_planned) == (Came.APPLIED, False)


def test_a_write_that_was_held_up_does_not_leave(tmp_path):
    """The gate was looked at before the look at the object: where that took too long, no write leaves on what was seen (I4)."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        reply = _send(server, door, within=timedelta(0))

    message = "It took too long to reach the cluster, so nothing was sent."
    assert (reply, _sent(server)) == (Reply(came=Came.NOT_SENT, message=message), [])


def test_another_accounts_token_sends_nothing(tmp_path):
    """The executor is part of what was approved: a token of any other account is refused here (I1)."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        reply = _send(
            server, door, credential=credential(server, account=INSTALLATION.executor("scaler", "restart", "shop"))
        )

    assert (reply.came, server.received) == (Came.REJECTED, [])


@pytest.mark.parametrize(("left", "sent"), [(timedelta(microseconds=1), 1), (timedelta(0), 0)])
def test_our_own_clock_ends_a_token(tmp_path, left, sent):
    """A server takes a token for a minute after its end; we do not use it from its end on (I11)."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        reply = _send(server, door, credential=credential(server, expires_in=left))

    assert (len(_sent(server)), reply.came) == (sent, Came.APPLIED if sent else Came.EXPIRED)


def test_a_strangers_credential_is_a_mistake(tmp_path):
    """The door sends only with what it minted."""
    with on_stage(tmp_path, Backstage()) as (server, door), pytest.raises(TypeError, match="not one of this door's"):
        _send(server, door, credential=object())


def test_a_worker_holds_its_lease_longer_than_a_send_can_take():
    """Look and write together end before another worker may take the execution over (I2)."""
    longest = timedelta(seconds=ASKING.longest + WRITING.longest)

    assert START_TO_SEND + longest < LEASE
    assert timedelta(seconds=WRITING.longest) <= REQUEST_TIMEOUT
