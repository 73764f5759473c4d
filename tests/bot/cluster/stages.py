"""Stages: a cluster with Countersign installed in it, real or stand-in, as the contract suite acts on it.

Both are driven through the same few methods, so that one test runs on both. What only a real server does (deleting a role
binding, mutating admission) is asked of the real one alone, by tests that name it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from approvals.change.action import Argument, ProposedAction, Target, Wish
from approvals.change.plan import Plan, Preview, bind, envelope
from approvals.identity.accounts import Installation as Ours
from approvals.identity.names import EscalationId
from approvals.ports.cluster import Came, Reply
from approvals.verbs.registry import verb_called
from approvals.verbs.standstill import standstill
from approvals.verbs.verb import Baseline, Effect, PlanSeed, Progress
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.access import Grant
from bot.cluster.rights.manifests import manifests
from sandbox.cluster import Seed, StandIn, accounts_of
from sandbox.cluster.shop import usual_fences
from tests.builders import INSTALLATION
from tests.fixtures.installation import Installation
from tests.sandbox.devcluster.api import Api
from tests.waiting import wait_until

ENVIRONMENT = "here"
AGENT = "scaler"
PULL_FAILS = {"devcluster.countersign.dev/pull": "fails"}
PATHS = {
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
}


class Ground(Protocol):
    """What a stage stands on: how somebody else acts on the cluster."""

    @property
    def namespace(self) -> str:
        """Where the agent may act."""
        ...

    @property
    def source(self) -> Source:
        """The bot's own account."""
        ...

    @property
    def ours(self) -> Ours:
        """Whose accounts act."""
        ...

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make a workload or an autoscaler."""
        ...

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a workload as it is."""
        ...

    def change(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        """Change a workload as somebody else."""
        ...

    def delete(self, kind: str, name: str) -> None:
        """Delete a workload."""
        ...


@dataclass
class RealGround:
    """The real cluster's administrator."""

    installation: Installation

    @property
    def namespace(self) -> str:
        """Where the agent may act."""
        return self.installation.namespace

    @property
    def source(self) -> Source:
        """The bot's own account."""
        return self.installation.source

    @property
    def ours(self) -> Ours:
        """Whose accounts act."""
        return self.installation.ours

    @property
    def admin(self) -> Api:
        """The administrator's API."""
        return self.installation.admin

    def path(self, kind: str, name: str = "") -> str:
        """Return where objects of a kind are, or one of them."""
        version, plural = PATHS[kind]
        return f"/apis/{version}/namespaces/{self.namespace}/{plural}{'/' + name if name else ''}"

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make a workload or an autoscaler."""
        self.admin.create(self.path(manifest["kind"]), manifest)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a workload as it is."""
        found: dict[str, Any] = self.admin.get(self.path(kind, name))
        return found

    def change(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        """Change a workload as the administrator."""
        self.admin.merge(self.path(kind, name), patch)

    def delete(self, kind: str, name: str) -> None:
        """Delete a workload and wait until it is gone."""
        self.admin.call("DELETE", self.path(kind, name))
        wait_until(lambda: self.admin.call("GET", self.path(kind, name))[0] == 404, what=f"{name} is gone")


@dataclass
class StandInGround:
    """A stand-in, acted on by its Python methods. Autoscalers are the real cluster's to show."""

    cluster: StandIn
    namespace: str

    @property
    def source(self) -> Source:
        """The bot's own account."""
        return Source(kubeconfig=self.cluster.kubeconfig, context=self.cluster.context)

    @property
    def ours(self) -> Ours:
        """Whose accounts act."""
        return INSTALLATION

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Make a workload."""
        metadata = {**manifest["metadata"], "namespace": self.namespace}
        self.cluster.create({**manifest, "metadata": metadata})

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a workload as it is."""
        return dict(self.cluster.workload(kind, self.namespace, name))

    def change(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        """Change a workload as somebody else."""
        self.cluster.change(kind, self.namespace, name, patch)

    def delete(self, kind: str, name: str) -> None:
        """Delete a workload."""
        self.cluster.delete(kind, self.namespace, name)


def seed_of(grants: tuple[Grant, ...]) -> Seed:
    """Return a seed with the accounts and rights of our own manifests, and the stand-in's own form of the fences."""
    documents = manifests(grants, INSTALLATION)
    accounts = accounts_of(documents)
    bot = next(one for one in accounts if one.username == INSTALLATION.bot.username)
    return Seed(
        namespaces=(INSTALLATION.namespace, *{grant.namespace for grant in grants}),
        workloads=tuple(one for one in documents if one["kind"] == "Deployment"),
        accounts=accounts,
        fences=usual_fences(bot, accounts, prefix=INSTALLATION.prefix),
        declared=tuple(documents),
        user=bot,
    )


def workload(
    kind: str = "Deployment",
    *,
    replicas: int = 1,
    labels: Mapping[str, str] | None = None,
    template_labels: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a workload's manifest under a name of its own."""
    name = f"w-{uuid.uuid4().hex[:8]}"
    container: dict[str, Any] = {"name": "web", "image": "registry.example/web:1"}
    container |= {"env": [{"name": key, "value": value} for key, value in (env or {}).items()]} if env else {}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": name, **(labels or {})}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, **(template_labels or {})}},
                "spec": {"containers": [container]},
            },
            **({"serviceName": name} if kind == "StatefulSet" else {}),
            **spec,
        },
    }


def autoscaler_for(manifest: Mapping[str, Any], *, least: int, most: int) -> dict[str, Any]:
    """Return an autoscaler that keeps a workload between two numbers."""
    name = manifest["metadata"]["name"]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": manifest["kind"], "name": name},
            "minReplicas": least,
            "maxReplicas": most,
        },
    }


def baseline_of(plan: Plan) -> Baseline:
    """Return what a plan's write is conditional on."""
    return Baseline(resource_version=plan.evidence.resource_version, generation=plan.evidence.generation)


def utc_now() -> datetime:
    """Return the host's instant."""
    return datetime.now(UTC)


@dataclass
class Stage:
    """A ground and the door to it."""

    ground: Ground
    door: KubernetesCluster

    @classmethod
    def on(cls, ground: Ground, *, version: str = "test") -> "Stage":
        """Return a stage on *ground* with a door of its own, which calls itself *version*."""
        door = KubernetesCluster(
            {ENVIRONMENT: ground.source}, installation=ground.ours, mac_key=b"k" * 32, now=utc_now, version=version
        )
        return cls(ground=ground, door=door)

    def target(self, manifest: Mapping[str, Any]) -> Target:
        """Return a workload as an action's target."""
        return Target(kind=manifest["kind"], namespace=self.ground.namespace, name=manifest["metadata"]["name"])

    def preview(self, verb: str, target: Target, *, escalation: str = "", **arguments: Argument) -> Preview:
        """Return what a change would do."""
        return self.door.preview(
            Wish(
                agent=AGENT,
                environment=ENVIRONMENT,
                action=ProposedAction(verb=verb, target=target, parameters=arguments),
                on_behalf_of=None,
            ),
            verb=verb_called(verb),
            occasion=PlanSeed(
                escalation=EscalationId(escalation or new_escalation()), at=datetime(2026, 11, 20, 12, tzinfo=UTC)
            ),
        )

    def plan(self, verb: str, target: Target, *, escalation: str = "", **arguments: Argument) -> Plan:
        """Return the plan of a change, as it would be approved."""
        escalation = escalation or new_escalation()
        return bind(
            self.preview(verb, target, escalation=escalation, **arguments),
            escalation=EscalationId(escalation),
            action=ProposedAction(verb=verb, target=target, parameters=arguments),
            executor=self.ground.ours.executor(AGENT, verb, target.namespace).username,
            valid_for=timedelta(minutes=15),
        )

    def send(self, plan: Plan, *, version: str = "", uid: str = "") -> Reply:
        """Write a plan's one step with a fresh token; *version* and *uid* are those of the plan unless named."""
        bound = plan.bound
        if uid:
            step = bound.steps[0]
            bound = replace(bound, steps=(replace(step, body=step.body.replace(step.uid, uid)),))
        credential = self.door.mint(
            environment=ENVIRONMENT, account=self.ground.ours.executor(AGENT, bound.verb, bound.target.namespace)
        )
        body = envelope(bound.steps[0], version or plan.evidence.resource_version)
        return self.door.send(
            environment=ENVIRONMENT, bound=bound, step=0, body=body, credential=credential, within=timedelta(hours=1)
        )

    def observe(self, plan: Plan) -> Mapping[str, Any] | None:
        """Return the target as it is now, as the observer sees it."""
        return self.door.observe(environment=ENVIRONMENT, agent=AGENT, bound=plan.bound, step=0)

    def why(self, plan: Plan) -> str:
        """Return why the target stands still, by all that the observer sees of it."""
        now = self.observe(plan)
        assert now is not None
        around = self.door.surroundings(
            environment=ENVIRONMENT, agent=AGENT, bound=plan.bound, step=0, workload=now, since=utc_now() - _LATELY
        )
        return standstill(now, around.pods, around.events)

    def follow(self, plan: Plan, *, within_s: float = 60.0) -> Progress:
        """Return how the effect ended, without its pace, which holds the cluster's own times."""
        seen: list[Progress] = []

        def has_ended() -> bool:
            now = self.observe(plan)
            assert now is not None
            seen.append(verb_called(plan.bound.verb).yardstick.progress(plan.bound, now))
            return seen[-1].effect is not Effect.IN_PROGRESS

        wait_until(has_ended, what="the rollout ends", within_s=within_s, every_s=0.03)
        return replace(seen[-1], pace="")

    def carried_out(self, verb: str, target: Target, **arguments: int) -> tuple[Plan, Reply]:
        """Plan and write; where a controller was faster, again, as the product does. Return the last plan and its reply."""
        for _ in range(10):
            plan = self.plan(verb, target, escalation=new_escalation(), **arguments)
            reply = self.send(plan)
            if reply.came is not Came.CONFLICT:
                return plan, reply
        raise AssertionError(f"{target} does not come to rest")

    def settled(self, manifest: Mapping[str, Any]) -> Target:
        """Make a workload, wait until it has all its pods and nobody writes to it any more, and return it as a target."""
        self.ground.create(manifest)
        target = self.target(manifest)
        seen: list[str] = []

        def is_at_rest() -> bool:
            now = self.ground.get(target.kind, target.name)
            seen.append(now["metadata"]["resourceVersion"])
            return _has_its_pods(now) and len(seen) >= _STILL and len(set(seen[-_STILL:])) == 1

        wait_until(is_at_rest, what=f"{target} is settled", within_s=60, every_s=0.04)
        return target


_LATELY: Final = timedelta(minutes=2)

_STILL: Final = 4
"""How many looks in a row must show the same resource version."""


def _has_its_pods(now: Mapping[str, Any]) -> bool:
    status = now.get("status") or {}
    ready = (status.get("observedGeneration"), status.get("availableReplicas", 0))
    return ready == (now["metadata"]["generation"], now["spec"]["replicas"])


def new_escalation() -> str:
    """Return a fresh escalation's id."""
    return f"esc_{uuid.uuid4().hex[:26].upper()}"


GRANTS: Final = (Grant(agent=AGENT, namespace="shop", verbs=("restart", "scale")),)
"""What is granted in a stand-in."""


def stand_in(directory: Path) -> StandIn:
    """Return a stand-in, not started, with one agent in one namespace."""
    quickly = timedelta(seconds=0.1)
    return StandIn(directory, seed_of(GRANTS), rollout=quickly, lag=timedelta(milliseconds=20))
