"""Faults of the stand-in: each meets the request it is meant for, once, and says truly whether it took effect."""

import json
import threading
import time
from http.client import HTTPException

import pytest

from sandbox.cluster import (
    ANYTHING,
    DRY_RUN,
    MINT,
    READ,
    WRITE,
    Cut,
    Delay,
    Garbage,
    Hold,
    Meanwhile,
    On,
    Reset,
    StandIn,
    answered,
)
from tests.sandbox.cluster.wire import Wire

CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"
LEDGER = "/apis/apps/v1/namespaces/shop/statefulsets/ledger"


def replicas(cluster, kind="Deployment", name="checkout"):
    """Return how many pods a workload asks for."""
    return cluster.workload(kind, "shop", name)["spec"]["replicas"]


def scale(wire, number=6, path=CHECKOUT, **query):
    """Ask for so many pods."""
    return wire.patch(f"{path}/scale", {"spec": {"replicas": number}}, **query)


def outcome(wire):
    """Return whether there was an answer."""
    try:
        wire.send("GET", "/version")
    except (OSError, HTTPException):
        return "no answer"
    return "an answer"


class TestReset:
    """The connection ends without an answer."""

    def test_before_the_request_is_handled(self, stand_in, wire):
        """Nothing has changed, and nothing was answered."""
        stand_in.inject(Reset(), on=WRITE)

        with pytest.raises(ConnectionResetError):
            scale(wire)

        assert replicas(stand_in) == 3
        [entry] = stand_in.mutating_calls()
        assert (entry.status, entry.audit_id, entry.changed) == (None, None, False)

    def test_after_it_took_effect(self, stand_in, wire):
        """The change is made, and only the client does not know."""
        stand_in.inject(Reset(applied=True), on=WRITE)

        with pytest.raises(ConnectionResetError):
            scale(wire)

        assert replicas(stand_in) == 6
        [entry] = stand_in.effects()
        assert (entry.status, entry.changed) == (200, True)


class TestBrokenReplies:
    """The request takes effect, and its reply cannot be used."""

    def test_a_reply_that_breaks_off(self, stand_in, wire):
        """The head is whole, the body is not."""
        stand_in.inject(Cut(), on=WRITE)

        with pytest.raises(Exception, match="IncompleteRead"):
            scale(wire)

        assert replicas(stand_in) == 6

    def test_a_reply_that_is_no_json(self, stand_in, wire):
        """It calls itself 200 and JSON."""
        stand_in.inject(Garbage(), on=WRITE)

        with pytest.raises(json.JSONDecodeError):
            scale(wire)

        assert replicas(stand_in) == 6


class TestDelay:
    """An answer that comes late."""

    @pytest.mark.parametrize("applied", [False, True])
    def test_takes_its_time(self, stand_in, wire, applied):
        """The answer comes after the delay, and is the answer."""
        stand_in.inject(Delay(seconds=0.2, applied=applied), on=WRITE)
        begun = time.monotonic()

        reply = scale(wire)

        assert time.monotonic() - begun >= 0.2
        assert (reply.status, replicas(stand_in)) == (200, 6)

    @pytest.mark.parametrize("fault", [Delay(seconds=600), Hold()], ids=["delay", "hold"])
    def test_does_not_outlast_the_stand_in(self, tmp_path, fault):
        """Stopping ends what is delayed or held, at once."""
        ended = []

        with StandIn(tmp_path) as cluster:
            injected = cluster.inject(fault)
            client = threading.Thread(target=lambda: ended.append(outcome(Wire(cluster.server))))
            client.start()
            injected.wait()
        client.join(10)

        assert ended == ["no answer"]


class TestHold:
    """A request that stands still until it is told to go on."""

    @pytest.mark.parametrize(("applied", "during"), [(False, 3), (True, 6)])
    def test_waits_until_it_is_released(self, stand_in, wire, applied, during):
        """While it is held it has taken effect or not, as asked."""
        hold = Hold(applied=applied)
        stand_in.inject(hold, on=WRITE)
        replies = []
        client = threading.Thread(target=lambda: replies.append(scale(wire)))
        client.start()

        assert hold.reached.wait(10)
        assert (replicas(stand_in), replies) == (during, [])
        hold.release()
        client.join(10)

        assert [reply.status for reply in replies] == [200]
        assert replicas(stand_in) == 6


class TestAnswered:
    """A refusal, whatever the API would have said."""

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "NotFound"),
            (409, "Conflict"),
            (410, "Expired"),
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (504, "Timeout"),
        ],
    )
    @pytest.mark.parametrize(("applied", "after"), [(False, 3), (True, 6)])
    def test_is_the_servers(self, stand_in, wire, status, reason, applied, after):
        """It has the code and the reason, and the request took effect only where asked."""
        stand_in.inject(answered(status, applied=applied), on=WRITE)

        reply = scale(wire)

        assert (reply.status, reply.refusal["code"], reply.refusal["reason"]) == (status, status, reason)
        assert replicas(stand_in) == after

    def test_may_say_when_to_come_back(self, stand_in, wire):
        """Too many requests name their seconds in the header and in the details."""
        stand_in.inject(answered(429, retry_after=7))

        reply = scale(wire)

        assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
        assert reply.refusal["details"] == {"retryAfterSeconds": 7}
        assert scale(wire).status == 200


class TestMeanwhile:
    """Somebody is faster, by a moment."""

    def test_a_change_between_reading_and_writing(self, stand_in, wire):
        """A write with the version that was read meets a conflict."""
        version = wire.get(CHECKOUT)["metadata"]["resourceVersion"]
        faster = Meanwhile(action=lambda: stand_in.scale("Deployment", "shop", "checkout", 50))
        stand_in.inject(faster, on=WRITE)

        reply = wire.patch(f"{CHECKOUT}/scale", {"metadata": {"resourceVersion": version}, "spec": {"replicas": 6}})

        assert (reply.status, replicas(stand_in)) == (409, 50)

    def test_another_object_of_the_same_name(self, stand_in, wire):
        """A write with the uid that was read meets a conflict."""
        uid = wire.get(CHECKOUT)["metadata"]["uid"]
        stand_in.inject(Meanwhile(action=lambda: stand_in.recreate("Deployment", "shop", "checkout")), on=WRITE)

        reply = wire.patch(f"{CHECKOUT}/scale", {"metadata": {"uid": uid}, "spec": {"replicas": 6}})

        assert (reply.status, replicas(stand_in)) == (409, 3)


class TestRefusing:
    """Nobody answers at all."""

    def test_ends_with_its_block(self, stand_in, wire):
        """Inside the block connections are refused; afterwards the same address serves again."""
        with stand_in.refusing(), pytest.raises(ConnectionRefusedError):
            wire.get(CHECKOUT)

        assert wire.get(CHECKOUT)["spec"]["replicas"] == 3

    def test_may_be_repeated(self, stand_in, wire):
        """The port stays its own."""
        server = stand_in.server

        for _ in range(3):
            with stand_in.refusing(), pytest.raises(ConnectionRefusedError):
                wire.get(CHECKOUT)

        assert (stand_in.server, wire.send("GET", "/version").status) == (server, 200)


class TestWhichRequestItMeets:
    """A fault is for the requests it names."""

    def test_the_next_one_that_fits_and_no_other(self, stand_in, wire):
        """Others pass, and once it was met it is spent."""
        injected = stand_in.inject(answered(503), on=On(method="PATCH", path="*/statefulsets/*"))

        statuses = [scale(wire).status, scale(wire, path=LEDGER).status, scale(wire, path=LEDGER).status]

        assert statuses == [200, 503, 200]
        assert [entry.path for entry in injected.met] == [f"{LEDGER}/scale"]

    def test_as_many_as_it_is_given(self, stand_in, wire):
        """Several faults are met in the order in which they were given."""
        stand_in.inject(answered(503), on=WRITE, times=2)
        stand_in.inject(answered(504), on=WRITE)

        assert [scale(wire).status for _ in range(4)] == [503, 503, 504, 200]

    @pytest.mark.parametrize(
        ("on", "met"),
        [
            (ANYTHING, ["GET", "PATCH", "PATCH", "POST"]),
            (READ, ["GET"]),
            (WRITE, ["PATCH"]),
            (DRY_RUN, ["PATCH"]),
            (MINT, ["POST"]),
            (On(user="system:serviceaccount:*"), []),
            (On(user="stand-in-*"), ["GET", "PATCH", "PATCH", "POST"]),
        ],
        ids=["anything", "read", "write", "dry run", "mint", "an account", "the administrator"],
    )
    def test_by_kind_of_request(self, stand_in, wire, on, met):
        """The ready-made kinds tell reads, writes, dry runs and mints apart."""
        injected = stand_in.inject(Delay(seconds=0), on=on, times=9)

        wire.get(CHECKOUT)
        scale(wire)
        scale(wire, 9, dryRun="All")
        wire.post("/api/v1/namespaces/shop/serviceaccounts/nobody/token", {})

        assert [entry.method for entry in injected.met] == met
        assert all(entry.dry_run is (on is DRY_RUN) for entry in injected.met if on in (WRITE, DRY_RUN))

    def test_none_that_was_withdrawn(self, stand_in, wire):
        """What was not met yet can be taken back."""
        injected = stand_in.inject(answered(503))

        stand_in.clear_faults()

        assert (scale(wire).status, injected.met) == (200, ())

    def test_waiting_for_one_that_never_comes_ends(self, stand_in):
        """The wait has an end and says so."""
        injected = stand_in.inject(answered(503))

        with pytest.raises(TimeoutError, match="no request met the fault"):
            injected.wait(0.01)

    def test_also_one_without_a_good_token(self, stand_in):
        """A request whose credential is not taken has no user, and can be met all the same."""
        injected = stand_in.inject(answered(503), on=ANYTHING)

        reply = Wire(stand_in.server, token="nonsense").send("GET", CHECKOUT)

        assert (reply.status, injected.wait().user) == (503, None)
