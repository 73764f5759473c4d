"""Replay: rebuilds the state from the audit events alone, and compares it with what the tables say (I5).

It knows the trail's format (the last noun of an id is its state) and none of the code that wrote it.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import select

from approvals.canonical import decode
from approvals.facts import facts_of
from approvals.ports.store import Store
from models.store.tables import events

KEYS = {"request": ("id",), "vote": ("id",), "execution": ("id",), "attempt": ("execution", "number"), "pause": ("id",)}


def replayed(store: Any) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Return every noun's last state, by name and key, as the events tell it."""
    with store.database.reading() as connection:
        bodies = connection.execute(select(events.c.body).order_by(events.c.stream, events.c.sequence)).scalars().all()
    told: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = defaultdict(dict)
    for body in bodies:
        decoded: Any = decode(body)
        for name, key in KEYS.items():
            noun = decoded["data"].get(name)
            if noun is not None:
                told[name][tuple(noun[part] for part in key)] = noun
    return told


def differences(store: Store) -> list[str]:
    """Return what the tables say otherwise than the events; nothing is right."""
    told = replayed(store)
    found: list[str] = []
    with store.reading() as reading:
        looks = {
            "request": lambda key: reading.request(key[0]),
            "execution": lambda key: reading.execution(key[0]),
            "pause": lambda key: reading.pause(key[0]),
        }
        for name, look in looks.items():
            for key, noun in told[name].items():
                if facts_of(look(key)) != noun:
                    found.append(f"{name} {key}")
        for request in told["request"]:
            live = [
                vote for vote in told["vote"].values() if vote["escalation"] == request[0] and not vote["voided_at"]
            ]
            stored = [facts_of(vote) for vote in reading.votes(request[0])]
            if sorted(live, key=_id_of) != sorted(stored, key=_id_of):
                found.append(f"votes of {request}")
        for execution in told["execution"]:
            attempts = [one for key, one in told["attempt"].items() if key[0] == execution[0]]
            last = reading.last_attempt(execution[0])
            if attempts and facts_of(last) != max(attempts, key=lambda one: one["number"]):
                found.append(f"attempts of {execution}")
    return found


def _id_of(noun: Any) -> str:
    return str(noun["id"])
