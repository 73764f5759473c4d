"""The observer: what has become of a target, read as an account that can change nothing.

It outlives an executor's token, because a rollout may take longer than ten minutes.
"""

from http import HTTPStatus
from typing import Any

from approvals.errors import Unavailable
from approvals.plan import Step
from bot.cluster import asking, paths
from bot.cluster.answers import describe
from bot.cluster.asking import Declined
from bot.cluster.calls import Client


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
        raise Unavailable(
            f"The observer's account may not read {step.resource.plural} ({describe(refusal.answer)}).",
            code="observer_refused",
        ) from refusal
