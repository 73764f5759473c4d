"""The observer: what has become of a target, and what stands around it, read as an account that can change nothing.

It outlives an executor's token, because a rollout may take longer than ten minutes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from approvals.change.plan import Step
from approvals.errors import Unavailable
from approvals.ports.cluster import Surroundings
from bot.cluster.client import asking, paths
from bot.cluster.client.answers import describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client

MOST_PODS: Final = 100
"""How many pods of a workload are looked at, by name: where more of them fail, they mostly fail alike."""

MOST_EVENTS: Final = 50

_OPERATORS: Final[Mapping[str, str]] = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def observe(line: Client, step: Step) -> dict[str, Any] | None:
    """Return the whole object that *step* changes, raw, as it is now; None where it is gone.

    Raises:
        Declined: The observer's token was not accepted (401).
        Unavailable: The cluster cannot be asked, or does not let the observer read it.
    """
    try:
        return asking.get(line, paths.one(step.resource, step.namespace, step.name))
    except Declined as refusal:
        if refusal.is_unauthorised:
            raise
        if refusal.status == HTTPStatus.NOT_FOUND:
            return None
        raise _refused(step.resource.plural, refusal) from refusal


def surroundings(line: Client, step: Step, workload: Mapping[str, Any], *, since: datetime) -> Surroundings:
    """Return the pods of *workload* and the warnings about itself that were seen *since*, as many as are looked at.

    A pod that only bears its labels is not its own: whoever may make one could else put a reason in its mouth.

    Raises:
        Declined: The observer's token was not accepted (401).
        Unavailable: The cluster cannot be asked, or does not let the observer read them.
    """
    about = f"involvedObject.uid={workload['metadata']['uid']},type=Warning"
    try:
        pods = asking.some(line, paths.pods(step.namespace), limit=MOST_PODS, labelSelector=_selector(workload))
        events = asking.some(line, paths.events(step.namespace), limit=MOST_EVENTS, fieldSelector=about)
    except Declined as refusal:
        if refusal.is_unauthorised:
            raise
        raise _refused("pods and events", refusal) from refusal
    late = sorted((seen, number) for number, one in enumerate(events) if (seen := _last_seen(one)) and seen >= since)
    return Surroundings(
        pods=tuple(pod for pod in pods if _is_of(pod, workload)), events=tuple(events[number] for _, number in late)
    )


def _refused(what: str, refusal: Declined) -> Unavailable:
    words = describe(refusal.answer)
    return Unavailable(f"The observer's account may not read {what} ({words}).", code="observer_refused")


def _selector(workload: Mapping[str, Any]) -> str:
    """Return a workload's selector as a list's parameter. It is never empty: the server refuses a workload that selects all."""
    return ",".join(_requirements(workload["spec"]["selector"]))


def _requirements(selector: Mapping[str, Any]) -> Iterator[str]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield f"{key}={value}"
    for one in selector.get("matchExpressions") or ():
        yield _OPERATORS[one["operator"]].format(key=one["key"], values=",".join(one.get("values") or ()))


def _is_of(pod: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """Tell whether a pod is controlled by *workload*, or by a ReplicaSet that is called as one of its own would be."""
    metadata = pod["metadata"]
    owner: Mapping[str, Any] = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), {})
    if owner.get("kind") != "ReplicaSet":
        return bool(owner.get("uid") == workload["metadata"]["uid"])
    template = (metadata.get("labels") or {}).get("pod-template-hash")
    return bool(owner.get("name") == f"{workload['metadata']['name']}-{template}")


def _last_seen(event: Mapping[str, Any]) -> datetime | None:
    """Return when an event last happened; None where it does not say."""
    told = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(told) if told else None
