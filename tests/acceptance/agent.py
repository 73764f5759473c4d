"""The agent of the stories: it asks over HTTP with its token, and looks at what became of it."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.acceptance.place import Place, Service
from tests.waiting import wait_until


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A client of the API, bound to one run of the service."""

    service: Service
    token: str

    def post(self, body: dict[str, Any], *, key: str) -> httpx.Response:
        """Send one request and return the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        return httpx.post(f"{self.service.address}/v1/escalations", json=body, headers=headers, timeout=30.0)

    def asks_to_scale(self, name: str, replicas: int, *, namespace: str = "shop", **more: Any) -> str:
        """Ask for a Deployment to be scaled and return the escalation's id."""
        answer = self.post(scale_of(name, replicas, namespace=namespace, **more), key=f"{name}-{replicas}")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def look(self, escalation: str) -> dict[str, Any]:
        """Return how one escalation stands."""
        answer = httpx.get(
            f"{self.service.address}/v1/escalations/{escalation}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30.0,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait_for_effect(self, escalation: str, effect: str) -> dict[str, Any]:
        """Return how it stands once its execution has had that effect."""
        wait_until(
            lambda: (self.look(escalation).get("execution") or {}).get("effect") == effect,
            what=f"the effect is {effect}",
            within_s=100.0,
            every_s=0.2,
        )
        return self.look(escalation)


def scale_of(name: str, replicas: int, *, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    """Return the body of a request to scale a Deployment."""
    target = {"kind": "Deployment", "namespace": namespace, "name": name}
    return {
        "environment": "demo",
        "action": {"verb": "scale", "target": target, "parameters": {"replicas": replicas}},
        "rationale": "The queue grows faster than it is worked off.",
        **more,
    }


def new_token(place: Place) -> str:
    """Return a fresh token of the agent, made at the command line."""
    said = place.run("agent", "token", "create", "scaler")
    assert said.code == 0, said.err
    return said.out.strip()
