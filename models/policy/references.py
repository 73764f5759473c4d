"""References: every name in a policy must stand for something. A misspelt one would match nothing and look like a rule."""

from collections.abc import Iterable, Mapping
from typing import Final

from approvals.identity.names import is_operator, is_slack_account
from approvals.policy.policy import is_protected
from approvals.verbs.registry import REGISTRY
from models.policy.mistakes import Path, did_you_mean, listed, quoted
from models.policy.reading import Document
from models.policy.shaping import Sound
from models.policy.words import ANY, entries_at, words_at

VERBS: Final = frozenset(verb.name for verb in REGISTRY)
KINDS: Final = frozenset(kind.name for verb in REGISTRY for kind in verb.kinds)
BUILT_IN: Final = "built-in"
"""What a ruling calls the denials that no file can lift; a rule of that name would be taken for one."""

_SECTIONS: Final[Mapping[str, str]] = {
    "agent": "agents",
    "approver set": "approvers",
    "cluster": "clusters",
    "environment": "environments",
}


def check_references(document: Document, sound: Sound) -> None:
    """Note every name in *document* that stands for nothing, or for something else than is meant.

    Entries that are faulty in another way are looked through as well, so that nothing is left to be told after their mending.

    Args:
        document: After its shape was judged: what is faulty in itself is not judged again.
        sound: Of this document.
    """
    _check_accounts(document)
    _check_people(document, sound)
    for which in ("may_pause", "may_resume"):
        _check_known(document, sound, words_at(document, "pausing", which, ANY), "approver set")
    _check_clusters(document, sound)
    _check_agents(document, sound)
    _check_rule_names(document)
    _check_what_rules_do(document)
    _check_matches(document, sound)
    _check_known(document, sound, words_at(document, "rules", ANY, "ask", "approvers", ANY), "approver set")


def _check_accounts(document: Document) -> None:
    """Note accounts that two people share: their votes would count as one person's, or as another's."""
    first: dict[str, str] = {}
    for path, account in words_at(document, "people", ANY, ANY):
        name = str(path[1])
        if first.setdefault(account, name) != name:
            sentence = f"{quoted(account)} belongs to `{first[account]}` already; an account is one person's."
            document.mistake(path, sentence)


def _check_people(document: Document, sound: Sound) -> None:
    for path, who in words_at(document, "approvers", ANY, "people", ANY):
        _check_slack_person(document, sound, path, who)
    for role in ("business", "technical", "risk"):
        for path, who in words_at(document, "agents", ANY, "owners", role):
            _check_who(document, sound, path, who)
    for path, who in words_at(document, "agents", ANY, "acts_for", ANY):
        _check_slack_person(document, sound, path, who)


def _check_slack_person(document: Document, sound: Sound, path: Path, who: str) -> None:
    """Note who has no Slack account: only through Slack does anybody approve, or have an agent act for them."""
    if not _check_who(document, sound, path, who):
        return
    accounts = [who] if ":" in who else [account for _, account in words_at(document, "people", who, ANY)]
    if accounts and all(is_operator(account) for account in accounts):
        sentence = (
            f"{quoted(who)} has no Slack account: an operator at the command line may deny and pause, never approve."
        )
        document.mistake(path, sentence)


def _check_who(document: Document, sound: Sound, path: Path, who: str) -> bool:
    """Tell whether *who* stands for somebody, and note it where not."""
    declared = sound.names("people")
    if ":" in who or who in declared:
        return True
    meant = did_you_mean(who, declared)
    hint = " A Slack account is written TEAM:USER." if is_slack_account(f"T000:{who}") else meant
    document.mistake(path, f"There is no {quoted(who)} in `people:`.{hint}")
    return False


def _check_clusters(document: Document, sound: Sound) -> None:
    """Note clusters that would be one, and environments of which nobody can say which cluster they are in."""
    first: dict[str | None, Path] = {}
    for path, cluster in entries_at(document, "clusters", ANY):
        if not isinstance(cluster, dict) or (*path, "context") in document.faulty:
            continue
        context = next((text for _, text in words_at(document, *path, "context")), None)
        if first.setdefault(context, path) != path:
            sentence = (
                f"The cluster `{first[context][-1]}` is reached in the same way, so the two are one. "
                "Keep one of them, and let environments share it."
            )
            document.mistake(path, sentence, key=True)
    declared = sound.names("clusters")
    for path, environment in entries_at(document, "environments", ANY):
        if declared and isinstance(environment, dict) and "cluster" not in environment:
            sentence = f"`cluster` is missing: which of the clusters it is in; there are {listed(declared)}."
            document.mistake(path, sentence, key=True)
    _check_known(document, sound, words_at(document, "environments", ANY, "cluster"), "cluster")


def _check_agents(document: Document, sound: Sound) -> None:
    _check_known(document, sound, words_at(document, "agents", ANY, "verbs", ANY), "verb")
    environments = sound.names("environments")
    for path, _ in entries_at(document, "agents", ANY, "namespaces", ANY):
        if path[-1] not in environments and path[:-1] not in document.faulty:
            document.mistake(path, _unknown(str(path[-1]), environments, "environment"), key=True)
    for path, namespace in words_at(document, "agents", ANY, "namespaces", ANY, ANY):
        if is_protected(namespace):
            document.mistake(path, f"{quoted(namespace)} is protected; no policy can open it. Remove it.")
    for path, namespaces in entries_at(document, "agents", ANY, "namespaces"):
        if namespaces == {}:
            document.mistake(path, "It names no environment, so the agent may ask for nothing.")


def _check_rule_names(document: Document) -> None:
    first: dict[str, Path] = {}
    for path, name in words_at(document, "rules", ANY, "name"):
        if name == BUILT_IN:
            document.mistake(path, f"`{BUILT_IN}` names the denials that no file can lift. Choose another name.")
        elif first.setdefault(name, path) != path:
            line = document.place(first[name])[0]
            document.mistake(path, f"The rule on line {line} is called {quoted(name)}, too. Rename one of them.")


def _check_what_rules_do(document: Document) -> None:
    for path, rule in entries_at(document, "rules", ANY):
        if isinstance(rule, dict) and ("deny" in rule) == ("ask" in rule):
            which = "both" if "ask" in rule else "neither"
            sentence = f"A rule has either `deny`, with the reason, or `ask`; this one has {which}."
            document.mistake(path, sentence)


def _check_matches(document: Document, sound: Sound) -> None:
    for dimension in ("agents", "environments", "verbs", "kinds"):
        noun = dimension.removesuffix("s")
        for path, pattern in words_at(document, "rules", ANY, "match", dimension, ANY):
            _check_pattern(document, path, pattern, _known(sound, noun), noun)


def _check_pattern(document: Document, path: Path, pattern: str, known: frozenset[str], noun: str) -> None:
    prefix = pattern.removesuffix("*")
    if prefix == pattern and pattern not in known:
        document.mistake(path, _unknown(pattern, known, noun))
    elif prefix != pattern and not any(name.startswith(prefix) for name in known):
        document.mistake(path, f"No {noun} starts with {quoted(prefix)}; there are {listed(known)}.")


def _check_known(document: Document, sound: Sound, words: Iterable[tuple[Path, str]], noun: str) -> None:
    known = _known(sound, noun)
    for path, name in words:
        if name not in known:
            document.mistake(path, _unknown(name, known, noun))


def _known(sound: Sound, noun: str) -> frozenset[str]:
    """Return what there is of a kind: what verbs and kinds there are is the program's to say, the rest the file's."""
    return {"verb": VERBS, "kind": KINDS}.get(noun) or sound.names(_SECTIONS[noun])


def _unknown(name: str, known: frozenset[str], noun: str) -> str:
    return f"There is no {noun} {quoted(name)}; there are {listed(known)}.{did_you_mean(name, known)}"
