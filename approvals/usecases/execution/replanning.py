"""Planning again, right before a start: what was approved runs only if the same wish still means the same change (I8, I9)."""

from dataclasses import dataclass, replace

from approvals.change.plan import Bound, Preview, bound_bytes, fingerprint_of
from approvals.errors import Unplannable
from approvals.usecases.execution.ports import Ports
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed
from approvals.workflow.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanning:
    """Plans the approved wish once more."""

    ports: Ports

    def again(self, request: Request, bound: Bound) -> Preview:
        """Return what the same wish, of the same occasion, would change now."""
        return self.ports.cluster.preview(
            request.wish,
            verb=verb_called(bound.verb),
            occasion=PlanSeed(escalation=request.id, at=request.asked_at),
        )

    def is_the_same(self, again: Preview, bound: Bound, request: Request) -> bool:
        """Tell whether a new preview of the same wish is what was approved, to the last byte that was hashed."""
        action = request.action
        planned = replace(
            bound,
            cluster_uid=again.cluster_uid,
            target=action.target,
            arguments=dict(sorted(action.parameters.items())),
            executor=self.ports.executor(request.agent, bound.verb, action.target.namespace).username,
            steps=again.steps,
        )
        try:
            return fingerprint_of(bound_bytes(planned)) == request.fingerprint
        except Unplannable:
            return False  # It holds what no hash can, and what was approved has one.
