"""What ``countersign manifests`` prints."""

from approvals.errors import Malformed
from approvals.policy.policy import Policy
from bot.cluster.rights.access import grants_of
from bot.cluster.rights.manifests import manifests, yaml_of


def manifest_text(policy: Policy, environment: str) -> str:
    """Return the Kubernetes manifests of the cluster that *environment* is in, as YAML: whichever of its environments, the same.

    Raises:
        Malformed: The policy has no environment of that name.
    """
    if environment not in policy.environments:
        raise Malformed(f"The policy has no environment called {environment}.", code="unknown_environment")
    cluster = policy.environments[environment].cluster
    return yaml_of(manifests(grants_of(policy, cluster), policy.installation))
