"""References: every name in a policy must stand for something. A misspelt one would match nothing and look like a rule."""

from collections.abc import Iterable, Mapping
from typing import Final

from approvals.people import SLACK_ACCOUNT, is_operator
from approvals.policy import is_protected
from approvals.verbs import REGISTRY
from models.policy.identities import Identities
from models.policy.mistakes import Path, did_you_mean, listed, quoted
from models.policy.reading import Document
from models.policy.shapes import AgentShape, MatchShape
from models.policy.shaping import Sound

VERBS: Final = frozenset(verb.name for verb in REGISTRY)
KINDS: Final = frozenset(kind.name for verb in REGISTRY for kind in verb.kinds)
BUILT_IN: Final = "built-in"
"""What a ruling calls the denials that no file can lift; a rule of that name would be taken for one."""


def check_references(document: Document, sound: Sound) -> None:
    """Note every name in *sound* that stands for nothing, or for something else than is meant."""
    _check_accounts(document, sound)
    _check_people(document, sound)
    _check_sets(document, sound)
    _check_clusters(document, sound)
    for name, agent in sound.shape.agents.items():
        _check_agent(document, sound, name, agent)
    _check_rule_names(document, sound)
    for place, rule in sound.rules:
        _check_match(document, sound, ("rules", place, "match"), rule.match)
        if rule.ask:
            path = ("rules", place, "ask", "approvers")
            _check_known(
                document, path, rule.ask.approvers, sound.declared.get("approvers", frozenset()), "approver set"
            )


def _check_accounts(document: Document, sound: Sound) -> None:
    """Note accounts that two people share: their votes would count as one person's, or as another's."""
    first: dict[str, str] = {}
    for name, accounts in sound.shape.people.items():
        for place, account in enumerate(accounts):
            if account in first:
                sentence = f"{quoted(account)} belongs to `{first[account]}` already; an account is one person's."
                document.mistake(("people", name, place), sentence)
            first.setdefault(account, name)


def _check_people(document: Document, sound: Sound) -> None:
    for name, approvers in sound.shape.approvers.items():
        _check_slack_people(document, sound, ("approvers", name, "people"), approvers.people)
    for name, agent in sound.shape.agents.items():
        for role in ("business", "technical", "risk"):
            _check_who(document, sound, ("agents", name, "owners", role), getattr(agent.owners, role))
        _check_slack_people(document, sound, ("agents", name, "acts_for"), agent.acts_for)


def _check_slack_people(document: Document, sound: Sound, path: Path, people: Iterable[str]) -> None:
    """Note entries without a Slack account: only through Slack does anybody approve, or have an agent act for them."""
    identities = Identities(accounts={name: tuple(accounts) for name, accounts in sound.shape.people.items()})
    for place, who in enumerate(people):
        if not _check_who(document, sound, (*path, place), who):
            continue
        accounts = identities.accounts_of(who)
        if accounts and all(is_operator(account) for account in accounts):
            sentence = f"{quoted(who)} has no Slack account: an operator at the command line may deny and pause, never approve."
            document.mistake((*path, place), sentence)


def _check_who(document: Document, sound: Sound, path: Path, who: str) -> bool:
    """Tell whether *who* stands for somebody, and note it where not."""
    declared = sound.declared.get("people", frozenset())
    if ":" in who or who in declared:
        return True
    meant = did_you_mean(who, declared)
    hint = " A Slack account is written TEAM:USER." if SLACK_ACCOUNT.fullmatch(f"T000:{who}") else meant
    document.mistake(path, f"There is no {quoted(who)} in `people:`.{hint}")
    return False


def _check_sets(document: Document, sound: Sound) -> None:
    if sound.shape.pausing is None:
        return
    declared = sound.declared.get("approvers", frozenset())
    for which in ("may_pause", "may_resume"):
        _check_known(document, ("pausing", which), getattr(sound.shape.pausing, which), declared, "approver set")


def _check_clusters(document: Document, sound: Sound) -> None:
    """Note clusters that would be one, and environments of which nobody can say which cluster they are in."""
    first: dict[str | None, str] = {}
    for name, cluster in sound.shape.clusters.items():
        if cluster.context in first:
            sentence = (
                f"The cluster `{first[cluster.context]}` is reached in the same way, so the two are one. "
                "Keep one of them, and let environments share it."
            )
            document.mistake(("clusters", name), sentence, key=True)
        first.setdefault(cluster.context, name)
    declared = sound.declared.get("clusters", frozenset())
    for name, environment in sound.shape.environments.items():
        if environment.cluster is None and declared:
            sentence = f"`cluster` is missing: which of the clusters it is in; there are {listed(declared)}."
            document.mistake(("environments", name), sentence, key=True)
        elif environment.cluster is not None and environment.cluster not in declared:
            sentence = _unknown(environment.cluster, declared, "cluster")
            document.mistake(("environments", name, "cluster"), sentence)


def _check_agent(document: Document, sound: Sound, name: str, agent: AgentShape) -> None:
    _check_known(document, ("agents", name, "verbs"), agent.verbs, VERBS, "verb")
    environments = sound.declared.get("environments", frozenset())
    for environment, namespaces in agent.namespaces.items():
        path = ("agents", name, "namespaces", environment)
        if environment not in environments:
            document.mistake(path, _unknown(environment, environments, "environment"), key=True)
        for place, namespace in enumerate(namespaces):
            if is_protected(namespace):
                document.mistake((*path, place), f"{quoted(namespace)} is protected; no policy can open it. Remove it.")
    if not agent.namespaces:
        document.mistake(("agents", name, "namespaces"), "It names no environment, so the agent may ask for nothing.")


def _check_rule_names(document: Document, sound: Sound) -> None:
    first: dict[str, int] = {}
    for place, rule in sound.rules:
        path = ("rules", place, "name")
        if rule.name == BUILT_IN:
            document.mistake(path, f"`{BUILT_IN}` names the denials that no file can lift. Choose another name.")
        elif rule.name in first:
            line = document.place(("rules", first[rule.name], "name"))[0]
            document.mistake(path, f"The rule on line {line} is called {quoted(rule.name)}, too. Rename one of them.")
        first.setdefault(rule.name, place)


def _check_match(document: Document, sound: Sound, path: Path, match: MatchShape) -> None:
    known: Mapping[str, tuple[frozenset[str], str]] = {
        "agents": (sound.declared.get("agents", frozenset()), "agent"),
        "environments": (sound.declared.get("environments", frozenset()), "environment"),
        "verbs": (VERBS, "verb"),
        "kinds": (KINDS, "kind"),
    }
    for dimension, (names, noun) in known.items():
        _check_patterns(document, (*path, dimension), getattr(match, dimension) or (), names, noun)


def _check_patterns(document: Document, path: Path, patterns: Iterable[str], known: frozenset[str], noun: str) -> None:
    for place, pattern in enumerate(patterns):
        prefix = pattern.removesuffix("*")
        if prefix == pattern and pattern not in known:
            document.mistake((*path, place), _unknown(pattern, known, noun))
        elif prefix != pattern and not any(name.startswith(prefix) for name in known):
            sentence = f"No {noun} starts with {quoted(prefix)}; there are {listed(known)}."
            document.mistake((*path, place), sentence)


def _check_known(document: Document, path: Path, names: Iterable[str], known: frozenset[str], noun: str) -> None:
    for place, name in enumerate(names):
        if name not in known:
            document.mistake((*path, place), _unknown(name, known, noun))


def _unknown(name: str, known: frozenset[str], noun: str) -> str:
    return f"There is no {noun} {quoted(name)}; there are {listed(known)}.{did_you_mean(name, known)}"
