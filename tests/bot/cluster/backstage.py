"""A scripted API server as these tests need it: it mints, says who is who, and shows one Deployment.

It proves nothing about Kubernetes; it is the stage on which a test makes one answer go wrong.
"""

import base64
import json
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from approvals.change.plan import Bound, envelope
from approvals.facts import instant_text
from approvals.identity.accounts import ServiceAccount
from bot.cluster.client.calls import Endpoint, Identity, Times
from bot.cluster.client.identities import Minted
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from tests.bot.cluster.scripted import Answer, Outcome, Received, Script, Server, Silence, serving, status
from tests.builders import CLUSTER_UID, INSTALLATION, NOON, a_plan, a_workload, an_executor, scale_of

ENVIRONMENT = "prod-eu-1"
CALM = Times(connect=10, read=10, whole=20)
QUICK = Times(connect=1, read=1, whole=2)


@dataclass
class Backstage:
    """What the server holds, and by (method, end of the path) what it answers instead of the ordinary."""

    replicas: int = 3
    odd: Mapping[tuple[str, str], Outcome | Script] = field(default_factory=dict)
    minted: list[str] = field(default_factory=list)
    life: timedelta = timedelta(seconds=600)

    def __call__(self, request: Received) -> Outcome:
        """Answer one request."""
        for (method, ending), outcome in self.odd.items():
            if request.method == method and request.path.endswith(ending):
                return outcome(request) if callable(outcome) else outcome
        return self.ordinary(request)

    def ordinary(self, request: Received) -> Answer:
        """Answer as an API server would that finds nothing wrong."""
        workload = a_workload(replicas=self.replicas)
        match request.method, request.path.rsplit("/", 1)[-1]:
            case "POST", "token":
                return self._mint(request)
            case "POST", "selfsubjectreviews":
                return Answer(status=201, body={"status": {"userInfo": {"username": _holder(request)}}})
            case "GET", "kube-system":
                return Answer(body={"metadata": {"uid": CLUSTER_UID}})
            case "GET", "scale":
                return Answer(body=scale_of(workload))
            case "GET", "horizontalpodautoscalers":
                return Answer(body={"items": []})
            case "GET", "checkout":
                return Answer(body=workload)
            case "PATCH", "scale" if "/checkout/" in request.path:
                return Answer(body=scale_of(a_workload(replicas=json.loads(request.body)["spec"]["replicas"])))
            case _:
                return status(404, "NotFound")

    def _mint(self, request: Received) -> Answer:
        parts = request.path.split("/")
        username = f"system:serviceaccount:{parts[4]}:{parts[6]}"
        self.minted.append(username)
        token = token_for(username, life=self.life, number=len(self.minted))
        ends = instant_text(NOON + self.life)
        return Answer(status=201, body={"status": {"token": token, "expirationTimestamp": ends}})


def token_for(username: str, *, life: timedelta = timedelta(seconds=600), number: int = 1) -> str:
    """Return something that looks like a service account's token and is signed by nobody."""
    issued = int(NOON.timestamp())
    claims = {"sub": username, "iat": issued, "exp": issued + int(life.total_seconds()), "jti": f"jti-{number}"}
    return f"head.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


def _holder(request: Received) -> str:
    payload = request.headers["authorization"].removeprefix("Bearer ").split(".")[1]
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sub"])


def kubeconfig(directory: Path, server: str, *, token: str | None = None, name: str = "kubeconfig") -> Path:
    """Write a kubeconfig of the bot's own account at *server* and return where."""
    path = directory / name
    user = {"token": token or token_for("system:serviceaccount:countersign-acme:countersign")}
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "clusters": [{"name": "it", "cluster": {"server": server}}],
                "users": [{"name": "it", "user": user}],
            }
        )
    )
    return path


def door_to(server: Server, directory: Path, *, now=lambda: NOON, times: Times = CALM) -> KubernetesCluster:
    """Return the cluster door to a scripted server."""
    return KubernetesCluster(
        {ENVIRONMENT: Source(kubeconfig=kubeconfig(directory, server.url))},
        installation=INSTALLATION,
        mac_key=b"k" * 32,
        now=now,
        version="1",
        asking_times=times,
        writing_times=times,
    )


@contextmanager
def on_stage(directory: Path, backstage: Backstage):
    """Give the server and the door to it, which is impatient only where somebody never answers."""
    silent = any(isinstance(outcome, Silence) for outcome in backstage.odd.values())
    with serving(backstage) as server:
        yield server, door_to(server, directory, times=QUICK if silent else CALM)


def bound() -> Bound:
    """Return the plan of scaling ``shop/checkout`` from 3 to 6."""
    return a_plan().bound


def body() -> bytes:
    """Return the bytes of its one write, conditional on the resource version 100."""
    return envelope(bound().steps[0], "100")


def credential(server: Server, *, account: ServiceAccount | None = None, expires_in=timedelta(seconds=600)) -> Minted:
    """Return an executor's token at a scripted server."""
    account = account or an_executor()
    identity = Identity(endpoint=Endpoint(host=server.url), authorization=f"Bearer {token_for(account.username)}")
    return Minted(account=account, expires_at=NOON + expires_in, token_id="jti-1", identity=identity)
