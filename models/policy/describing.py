"""Describing: a policy in a few lines, so that its author sees what the program understood."""

from collections.abc import Iterable, Iterator

from approvals.policy.charter import Charter, WhenTokenRevoked
from approvals.policy.policy import Environment, NamedCluster, Policy, Rule
from models.policy.fields import WEEKDAYS, duration_text
from models.policy.overlap import asks_of, spoken_of

SHORT_VERSION = 12
"""How many hex digits of the version people see."""


def describe(policy: Policy) -> str:
    """Return what *policy* comes to: counts, then a line for each cluster and environment, and a few for each agent."""
    asking = sum(1 for rule in policy.rules if rule.asking)
    counts = (
        f"Policy {policy.version[:SHORT_VERSION]}: {_counted(policy.environments, 'environment')}, "
        f"{_counted(policy.charters, 'agent')}, {_counted(policy.approver_sets, 'approver set')}, "
        f"{_counted(policy.limits, 'limit')}, {_counted(policy.rules, 'rule')} "
        f"({asking} asking, {len(policy.rules) - asking} denying)."
    )
    lines = [
        counts,
        _installation(policy),
        *(_cluster(policy, one) for one in policy.clusters.values()),
        *(_environment(one) for one in policy.environments.values()),
    ]
    for charter in policy.charters.values():
        lines += _agent(policy, charter)
    return "\n".join(lines)


def _counted(things: Iterable[object], noun: str) -> str:
    number = len(list(things))
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _installation(policy: Policy) -> str:
    installation = policy.installation
    return (
        f"Installation {installation.name}: the bot's own account is {installation.namespace}/{installation.bot.name}, "
        f"and what it has in a cluster begins with {installation.prefix}."
    )


def _cluster(policy: Policy, cluster: NamedCluster) -> str:
    way = f"by the context {cluster.context}" if cluster.context else "as the settings say"
    names = policy.environments_in(cluster.name)
    if not names:
        return f"Cluster {cluster.name}: reached {way}, with no environment in it."
    shared = f"shared by the environments {', '.join(names)}" if len(names) > 1 else f"of the environment {names[0]}"
    return f"Cluster {cluster.name}: reached {way}, {shared}."


def _environment(environment: Environment) -> str:
    day = next(name for name in WEEKDAYS if name.startswith(environment.digest.weekday))
    return (
        f"Environment {environment.name}: in the cluster {environment.cluster}, asks in {environment.channel}, "
        f"digest on {day} at {environment.digest.hour:02}:{environment.digest.minute:02} {environment.zone}."
    )


def _agent(policy: Policy, charter: Charter) -> Iterator[str]:
    places = ", ".join(
        f"{environment}/{namespace}"
        for environment, namespaces in sorted(charter.namespaces.items())
        for namespace in sorted(namespaces)
    )
    yield f"Agent {charter.agent} may ask for {', '.join(sorted(charter.verbs))} in {places}."
    asks = tuple(asks_of(charter.agent, charter.verbs, charter.namespaces))
    for rule in policy.rules:
        if spoken_of(rule.match, asks):
            yield f"  {_clause(rule)}"
    if charter.when_token_revoked is WhenTokenRevoked.FLAG:
        yield "  What was asked with a token that is revoked since stays open, and its card says so."


def _clause(rule: Rule) -> str:
    if rule.asking is None:
        return f"{rule.name} denies: {rule.reason}"
    asking = rule.asking
    owners = " (owners included)" if asking.owners_may_approve else ""
    return (
        f"{rule.name} asks {asking.quorum} of {' or '.join(asking.approvers)}{owners} within "
        f"{duration_text(asking.timeout.default)} ({duration_text(asking.timeout.least)} to "
        f"{duration_text(asking.timeout.most)}), risk at least {asking.risk.value}; good for "
        f"{duration_text(asking.valid_for)}."
    )
