"""Translation: a checked file as the court's nouns. Nothing is judged here any more."""

from collections.abc import Iterable
from typing import Final

from approvals.identity.accounts import Installation
from approvals.identity.names import Account, is_operator, team_of
from approvals.identity.people import ApproverSet
from approvals.policy.charter import Charter, Owners
from approvals.policy.policy import (
    Asking,
    DigestSchedule,
    Environment,
    Limit,
    Match,
    NamedCluster,
    Policy,
    Rule,
    Timeout,
)
from models.policy.identities import Identities
from models.policy.shapes import (
    AgentShape,
    AskShape,
    EnvironmentShape,
    MatchShape,
    PausingShape,
    PolicyShape,
    RuleShape,
)

ONLY_CLUSTER: Final = "main"
"""What the one cluster of a policy is called that names none."""


def policy_of(
    shape: PolicyShape, installation: str, pausing: PausingShape, identities: Identities, *, version: str
) -> Policy:
    """Return the noun that *shape*, free of mistakes, describes.

    Args:
        shape: The file.
        installation: Its ``installation:``, which a file free of mistakes has.
        pausing: Its ``pausing:``, likewise.
        identities: Its ``people:``.
        version: The hash of its bytes.
    """
    sets = {
        name: ApproverSet(name=name, accounts=identities.slack_accounts_of(one.people), groups=frozenset(one.groups))
        for name, one in shape.approvers.items()
    }
    environments = {name: _environment(name, one) for name, one in shape.environments.items()}
    return Policy(
        version=version,
        installation=Installation(name=installation),
        clusters={name: NamedCluster(name=name, context=one.context) for name, one in shape.clusters.items()}
        or {ONLY_CLUSTER: NamedCluster(name=ONLY_CLUSTER, context=None)},
        environments=environments,
        charters={name: _charter(name, one, identities) for name, one in shape.agents.items()},
        approver_sets=sets,
        may_pause=tuple(pausing.may_pause),
        may_resume=tuple(pausing.may_resume),
        people=identities.people,
        limits={
            name: Limit(name=name, ceiling=one.ceiling, unit=one.unit, description=one.description)
            for name, one in shape.limits.items()
        },
        rules=tuple(_rule(one) for one in shape.rules),
        teams=_teams(sets.values(), environments.values()),
    )


def _environment(name: str, shape: EnvironmentShape) -> Environment:
    hour, minute = shape.digest.at.split(":")
    return Environment(
        name=name,
        channel=shape.channel,
        zone=shape.zone,
        digest=DigestSchedule(weekday=shape.digest.weekday[:3], hour=int(hour), minute=int(minute)),
        cluster=shape.cluster or ONLY_CLUSTER,
    )


def _charter(name: str, shape: AgentShape, identities: Identities) -> Charter:
    return Charter(
        agent=name,
        purpose=shape.charter,
        owners=Owners(
            business=_signature(shape.owners.business, identities),
            technical=_signature(shape.owners.technical, identities),
            risk=_signature(shape.owners.risk, identities),
        ),
        verbs=frozenset(shape.verbs),
        namespaces={environment: frozenset(namespaces) for environment, namespaces in shape.namespaces.items()},
        acts_for=identities.slack_accounts_of(shape.acts_for),
        when_token_revoked=shape.when_token_revoked,
    )


def _signature(who: str, identities: Identities) -> Account:
    """Return the account by which somebody is named: the first Slack one, so that a card can mention it."""
    accounts = identities.accounts_of(who)
    return next((account for account in accounts if not is_operator(account)), accounts[0])


def _rule(shape: RuleShape) -> Rule:
    return Rule(
        name=shape.name,
        match=match_of(shape.match),
        asking=_asking(shape.ask) if shape.ask else None,
        reason=shape.deny or "",
    )


def match_of(shape: MatchShape) -> Match:
    """Return what a rule speaks of."""
    return Match(
        agents=_some(shape.agents),
        environments=_some(shape.environments),
        namespaces=_some(shape.namespaces),
        verbs=_some(shape.verbs),
        kinds=_some(shape.kinds),
        names=_some(shape.names),
    )


def _some(patterns: list[str] | None) -> frozenset[str] | None:
    return None if patterns is None else frozenset(patterns)


def _asking(shape: AskShape) -> Asking:
    return Asking(
        risk=shape.risk,
        approvers=tuple(shape.approvers),
        quorum=shape.quorum,
        timeout=Timeout(default=shape.timeout.default, least=shape.timeout.least, most=shape.timeout.most),
        valid_for=shape.valid_for,
        owners_may_approve=shape.owners_may_approve,
    )


def _teams(sets: Iterable[ApproverSet], environments: Iterable[Environment]) -> frozenset[str]:
    """Return the workspaces that approvers, their groups and the channels are in."""
    teams = {team_of(environment.channel) for environment in environments}
    for approvers in sets:
        teams |= {team_of(account) for account in approvers.accounts} | {team_of(group) for group in approvers.groups}
    return frozenset(teams)
