"""Shapes: which keys a policy has, level by level. How what does not fit is told is :mod:`models.policy.shaping`.

What names mean, and whether people can be enough, is judged after this.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, model_validator

from approvals.policy.charter import WhenTokenRevoked
from models.policy.fields import (
    MOST_VALIDITY,
    AccountName,
    AgentName,
    Amount,
    AtLeastOne,
    ChannelName,
    ClusterName,
    ClusterWord,
    Each,
    EnvironmentName,
    GroupName,
    InstallationName,
    LimitName,
    LongDuration,
    LowerPattern,
    Name,
    NamespaceName,
    Pattern,
    Quorum,
    RevokedWord,
    RiskWord,
    RuleName,
    Sentence,
    ShortDuration,
    Switch,
    Text,
    TimeOfDay,
    Version,
    Weekday,
    Who,
    Zone,
    key,
    mistake,
)


class FileShape(BaseModel):
    """A mapping with exactly these keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ClusterShape(FileShape):
    """How one cluster is reached; whatever is left out comes from the settings."""

    context: Text | None = None


class DigestShape(FileShape):
    """When the weekly digest is posted."""

    weekday: Weekday = key("the day of the week, monday to sunday")
    at: TimeOfDay = key("the time of day in the environment's zone, such as 09:00")


class EnvironmentShape(FileShape):
    """Which cluster it is in, and where it is asked about."""

    cluster: ClusterWord | None = None
    channel: ChannelName = key("where its cards are posted, TEAM:CHANNEL")
    zone: Zone = key("its IANA time zone, such as Europe/Berlin")
    digest: DigestShape = key("when the weekly digest is posted, weekday and time")


class OwnersShape(FileShape):
    """Who answers for an agent."""

    business: Who = key("who answers for what it is for")
    technical: Who = key("who answers for how it works")
    risk: Who = key("who answers for what it may break")


class AgentShape(FileShape):
    """What an agent is for and what it may ask for."""

    charter: Sentence = key("one sentence that says what it is for")
    owners: OwnersShape = key("who answers for it: business, technical and risk")
    verbs: Annotated[list[Text], AtLeastOne, Each] = key("what it may ask for")
    namespaces: dict[str, Annotated[list[NamespaceName], AtLeastOne, Each]] = key("where it may ask, by environment")
    acts_for: Annotated[list[Who], Each] = key("the people on whose behalf it may ask", default_factory=list)
    when_token_revoked: RevokedWord = WhenTokenRevoked.CANCEL


class ApproversShape(FileShape):
    """A set of people by a name of its own."""

    people: Annotated[list[Who], Each] = key("who is in it", default_factory=list)
    groups: Annotated[list[GroupName], Each] = key("Slack user groups whose members are in it", default_factory=list)


class PausingShape(FileShape):
    """Who may stop everything, and who may let it go on."""

    may_pause: Annotated[list[Text], AtLeastOne, Each] = key("the approver sets whose people may pause")
    may_resume: Annotated[list[Text], AtLeastOne, Each] = key("the approver sets whose people may resume")


class LimitShape(FileShape):
    """A ceiling that escalations may refer to."""

    ceiling: Amount = key("the number that should not be passed")
    unit: Sentence = key("what the number counts")
    description: Sentence = key("what it protects, in one sentence")


class MatchShape(FileShape):
    """What a rule speaks of; a key left out means any."""

    agents: Annotated[list[LowerPattern], AtLeastOne, Each] | None = None
    environments: Annotated[list[LowerPattern], AtLeastOne, Each] | None = None
    namespaces: Annotated[list[LowerPattern], AtLeastOne, Each] | None = None
    verbs: Annotated[list[LowerPattern], AtLeastOne, Each] | None = None
    kinds: Annotated[list[Pattern], AtLeastOne, Each] | None = None
    names: Annotated[list[LowerPattern], AtLeastOne, Each] | None = None


class TimeoutShape(FileShape):
    """How long people have to answer."""

    default: LongDuration = key("how long people have where the agent does not say")
    least: LongDuration = key("the shortest time an agent may ask for")
    most: LongDuration = key("the longest time an agent may ask for")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.least <= self.default <= self.most:
            raise mistake("`default` must lie between `least` and `most`.")
        return self


class AskShape(FileShape):
    """Whose agreement a rule asks for."""

    risk: RiskWord = key("how much is at stake: low, medium, high or critical")
    approvers: Annotated[list[Text], AtLeastOne, Each] = key("the approver sets whose people may decide")
    quorum: Quorum = key("how many different people must approve")
    timeout: TimeoutShape = key("how long people have: default, least and most")
    valid_for: ShortDuration = MOST_VALIDITY
    owners_may_approve: Switch = False


class RuleShape(FileShape):
    """One clause. That it has either ``deny`` or ``ask`` is judged with the references, also where it is faulty otherwise."""

    name: RuleName = key("what it is called in reasons and in the audit trail")
    match: MatchShape = key("what it speaks of; `{}` for everything")
    deny: Sentence | None = None
    ask: AskShape | None = None


class PolicyShape(FileShape):
    """The whole file. Sections have empty defaults so that the rest can be checked where one is faulty."""

    version: Version = key("the version of this format: 1", default=1)
    installation: InstallationName | None = key(
        "a name for this installation that no other one has on its clusters, such as `acme`", default=None
    )
    people: dict[Name, Annotated[list[AccountName], AtLeastOne, Each]] = key(
        "who has which accounts", default_factory=dict
    )
    approvers: dict[Name, ApproversShape] = key("who may decide, as named sets", default_factory=dict)
    pausing: PausingShape | None = key("who may pause and who may resume", default=None)
    clusters: dict[ClusterName, ClusterShape] = key("the clusters", default_factory=dict)
    environments: dict[EnvironmentName, EnvironmentShape] = key("what agents ask about", default_factory=dict)
    agents: dict[AgentName, AgentShape] = key("the agents and their charters", default_factory=dict)
    limits: dict[LimitName, LimitShape] = key("ceilings that escalations may refer to", default_factory=dict)
    rules: list[RuleShape] = key("what is denied and who is asked", default_factory=list)
