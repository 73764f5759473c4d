"""One leg: with Slack away, or a cluster, the service serves what it can, says what it cannot, and comes back.

No real cluster is needed: what matters here is one that does not answer.
"""

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.acceptance.conftest import NewPlace
from tests.acceptance.place import Place, Service, lines_of
from tests.acceptance.town import Town
from tests.waiting import wait_until

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path, town: Town) -> dict[str, str]:
    """Settings whose cluster does not answer; Slack does."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "bot"}}],
                "clusters": [{"name": "it", "cluster": {"server": NOBODY}}],
                "users": [{"name": "bot", "user": {"token": "a-token-of-the-bot"}}],
            }
        )
    )
    return {**town.settings, "COUNTERSIGN_KUBECONFIG": str(kubeconfig)}


def readiness(service: Service) -> dict[str, Any]:
    """Return what ``/readyz`` says."""
    with urlopen(f"{service.address}/readyz", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def code_of(service: Service, leg: str) -> str:
    """Return the code of one leg; empty where it is not there."""
    return next((one["code"] for one in readiness(service)["legs"] if one["leg"] == leg), "")


def test_with_a_cluster_down_at_the_start_the_rest_goes_on(new_place: NewPlace, settings: dict[str, str]):
    """It serves: ready, with the cluster named by status and log, and without names where nobody has to show who they are."""
    place = new_place(settings)
    with place.serving() as service:
        wait_until(lambda: code_of(service, "slack_door") == "ok", what="clicks reach us", within_s=30.0)
        wait_until(lambda: code_of(service, "cluster") == "refused", what="the cluster is missed", within_s=40.0)
        ready = readiness(service)
        paused = place.run("pause", "all", "--reason", "to see that it works")
        place.wait_for_leg("cluster", "demo", "failing", "refused", within_s=30.0)
        (line,) = _clusters_said_to_fail(place)
        with urlopen(f"{service.address}/metrics", timeout=10) as answer:
            figures = answer.read().decode()

    assert ready["status"] == "ready"
    assert code_of_all(ready) >= {
        ("slack_api", "ok"),
        ("store", "ok"),
        ("checks", "refused"),
        ("fences", "refused"),
        ("environment", "fences_not_seen"),
    }
    assert "demo" not in json.dumps(ready)
    assert paused.code == 0
    assert "(refused)" in line
    assert "nothing listens there" in line
    assert 'countersign_leg_up{code="refused",leg="cluster",of="demo"} 0.0' in figures
    assert [one["of"] for one in lines_of(service.log) if one["event"] == "leg.fails" and one["leg"] == "cluster"] == [
        "demo"
    ]


def _clusters_said_to_fail(place: Place) -> list[str]:
    """Return the lines by which ``status`` says that a cluster fails: as of the last beat."""
    lines = place.run("status").out.splitlines()
    return [one for one in lines if one.startswith("cluster ") and "demo" in one and "failing" in one]


def code_of_all(ready: dict[str, Any]) -> set[tuple[str, str]]:
    """Return every leg with its code."""
    return {(one["leg"], one["code"]) for one in ready["legs"]}


@pytest.fixture
def silent_slack() -> Iterator[str]:
    """The address of a Slack that takes connections and never says a word: the worst way of being away."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api/"


def test_with_slack_away_at_the_start_it_serves_and_expires(
    new_place: NewPlace, settings: dict[str, str], silent_slack: str
):
    """The doors stand within seconds; pauses by the command line count; no click can arrive, and all of that is told."""
    place, began = new_place({**settings, "SLACK_API_URL": silent_slack}), time.monotonic()
    with place.serving() as service:
        took = time.monotonic() - began
        ready = readiness(service)
        paused = place.run("pause", "all", "--reason", "to see that it works")
        wait_until(lambda: code_of(service, "slack_api") == "timeout", what="Slack is missed", within_s=20.0)

    assert took < 20, "two questions of three seconds, and the process itself"
    assert ready["status"] == "ready"
    assert ("slack_door", "not_yet") in code_of_all(ready)
    assert paused.code == 0


def test_a_store_that_is_locked_takes_traffic_away_and_comes_back(new_place: NewPlace, settings: dict[str, str]):
    """Somebody holds the database's write lock: it can be read, nothing can be taken on, so it is not ready; then it is again."""
    place = new_place(settings)
    with place.serving() as service:
        with closing(sqlite3.connect(place.database)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_until(lambda: _status(service) == 503, what="it is not ready", within_s=40.0)
        wait_until(lambda: _status(service) == 200, what="it is ready again", within_s=40.0)


def _status(service: Service) -> int:
    with closing(HTTPConnection(service.address.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", "/readyz")
        return connection.getresponse().status


def test_a_dead_service_is_told(new_place: NewPlace, settings: dict[str, str]):
    """Killed, it says nothing any more, and status says since when nobody has written; stopped in good order it says that."""
    place = new_place(settings)
    never = _service_line(place)
    with place.serving():
        runs = _service_line(place)
    stopped = _service_line(place)
    with place.serving() as service:
        service.kill()
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute("UPDATE heartbeats SET seen_at = seen_at - 720000000")
    dead = _service_line(place)

    assert [never.split()[1:4], runs.split()[1:3], stopped.split()[1:5]] == [
        ["no", "service", "has"],
        ["runs", "since"],
        ["stopped", "in", "good", "order"],
    ]
    assert "no service has written here for 12 minutes" in dead


def _service_line(place: Place) -> str:
    (line,) = [one for one in place.run("status").out.splitlines() if one.startswith("service ")]
    return line
