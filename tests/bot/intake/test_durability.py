"""I15: what was answered 2xx survives kill -9."""

import http.client
import itertools
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.engine.database import open_database
from tests.bot.intake.support import (
    AGENT,
    ALERTS,
    ESCALATIONS,
    MONITOR,
    OTHER_AGENT,
    a_body,
    a_delivery,
    a_world,
    scaling,
)
from tests.fixtures.programs import child
from tests.fixtures.stores import a_store
from tests.waiting import wait_until
from tests.world import HandClock


class Caller:
    """Sends one call after the other until the server is gone, and keeps what was answered 2xx."""

    def __init__(self, port, send):
        self.port = port
        self.send = send
        self.answered = []

    def __call__(self):
        """Go on until the server is gone."""
        for number in itertools.count():
            try:
                self.answered.append(self._once(number))
            except (OSError, http.client.HTTPException):
                return

    def _once(self, number):
        path, token, body, key = self.send(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        assert response.status in {200, 202, 429}, answer
        return (key, answer) if response.status != 429 else (key, None)


def _escalating(token, name):
    return lambda number: (
        ESCALATIONS,
        token,
        a_body(timeout_seconds=900, action=scaling(4 + number % 900)),
        f"{name} {number}",
    )


def _alerting(number):
    return ALERTS, MONITOR, a_delivery(fingerprint=f"f{number}"), str(number)


@pytest.mark.slow
@pytest.mark.parametrize("enough", [3, 12, 25])
def test_i15_what_was_answered_2xx_is_there_after_kill_9(sqlite_url, enough):
    """I15: killed in the middle of its work, the server has lost no escalation and no alert that it said it took."""
    database = open_database(sqlite_url)
    store = a_store(database)
    a_world(database, HandClock())
    arguments = [sys.executable, "-m", "tests.bot.intake.serving", sqlite_url]
    with child(arguments) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        callers = [
            Caller(port, _escalating(AGENT, "a")),
            Caller(port, _escalating(OTHER_AGENT, "b")),
            Caller(port, _alerting),
        ]
        with ThreadPoolExecutor(len(callers)) as threads:
            running = [threads.submit(caller) for caller in callers]
            wait_until(lambda: all(len(caller.answered) >= enough for caller in callers), what="calls are answered")
            server.kill()
            for one in running:
                one.result()

    with store.reading() as reading:
        for agent, caller in (("scaler", callers[0]), ("pruner", callers[1])):
            for key, answer in caller.answered:
                found = reading.standing(agent, key).asked
                assert answer is None or (found is not None and found.id == answer["id"])
        alerts = set(reading.connection.exec_driver_sql("SELECT fingerprint FROM alerts").scalars())
    assert len(alerts) >= sum(answer["new"] for _, answer in callers[2].answered)
    database.close()
