"""Plausible objects: manifests of workloads and autoscalers as one finds them in a shop's cluster, for seeds."""

from collections.abc import Mapping
from typing import Any

from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.rollout import PULL_FAILS


def deployment(
    namespace: str,
    name: str,
    *,
    replicas: int = 3,
    labels: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    pull_fails: bool = False,
    progress_deadline_seconds: int = 600,
) -> JsonObject:
    """Return the manifest of a Deployment with one container.

    Args:
        namespace: Where it lies.
        name: Its name, and its ``app`` label.
        replicas: How many pods it asks for.
        labels: Its own labels beside ``app``, such as a GitOps controller's mark.
        env: Environment variables of the container.
        pull_fails: Whether its pods wait for their image for ever.
        progress_deadline_seconds: After how long without progress its rollout counts as failed.
    """
    manifest = _workload("Deployment", namespace, name, replicas, labels, env, pull_fails=pull_fails)
    manifest["spec"]["progressDeadlineSeconds"] = progress_deadline_seconds
    return manifest


def stateful_set(
    namespace: str,
    name: str,
    *,
    replicas: int = 2,
    labels: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    pull_fails: bool = False,
) -> JsonObject:
    """Return the manifest of a StatefulSet with one container; see :func:`deployment`."""
    manifest = _workload("StatefulSet", namespace, name, replicas, labels, env, pull_fails=pull_fails)
    manifest["spec"]["serviceName"] = name
    return manifest


def autoscaler(namespace: str, name: str, *, least: int, most: int, kind: str = "Deployment") -> JsonObject:
    """Return the manifest of a HorizontalPodAutoscaler that keeps the workload of the same name between two numbers."""
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
            "minReplicas": least,
            "maxReplicas": most,
        },
        "status": {"currentReplicas": least, "desiredReplicas": least},
    }


def _workload(
    kind: str,
    namespace: str,
    name: str,
    replicas: int,
    labels: Mapping[str, str] | None,
    env: Mapping[str, str] | None,
    *,
    pull_fails: bool,
) -> JsonObject:
    app = {"app": name}
    template = app | (dict([PULL_FAILS]) if pull_fails else {})
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": {**app, **(labels or {})}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(app)},
            "template": {
                "metadata": {"labels": template},
                "spec": {"containers": [_container(namespace, name, env or {})]},
            },
        },
    }


def _container(namespace: str, name: str, env: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example/{namespace}/{name}:1.4.2",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    }
