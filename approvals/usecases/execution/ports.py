"""What carrying out needs from outside, as one value for all its stories."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.change.plan import Bound
from approvals.identity.accounts import ServiceAccount
from approvals.ports.clearance import Clearance
from approvals.ports.cluster import Cluster
from approvals.ports.directory import Directory
from approvals.ports.journey import Journey
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.workflow.execution import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of an execution."""

    store: Store
    policies: Policies
    cluster: Cluster
    directory: Directory
    journey: Journey
    clearance: Clearance

    def executor(self, agent: str, verb: str, namespace: str) -> ServiceAccount:
        """Return the account that carries out one verb of an agent in a namespace."""
        return self.policies.current().installation.executor(agent, verb, namespace)

    def observe(self, execution: Execution, bound: Bound) -> Mapping[str, Any] | None:
        """Return the step's object as it is now; None where it is gone."""
        return self.cluster.observe(
            environment=execution.environment, agent=execution.agent, bound=bound, step=execution.step
        )
