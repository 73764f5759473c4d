"""Counting: whether the people a policy names can be enough. A quorum that nobody can meet is a denial in disguise.

Where a Slack user group is among the people, nobody can say how many they are, and nothing is counted.
"""

from collections.abc import Iterable, Mapping

from approvals.change.action import Wish
from approvals.workflow.pause import RESUMERS
from models.policy.countable import counted_agents, counted_rules
from models.policy.identities import Identities
from models.policy.mistakes import listed
from models.policy.overlap import asks_of, spoken_of
from models.policy.reading import Document
from models.policy.shapes import AgentShape, ApproversShape, AskShape
from models.policy.shaping import Sound
from models.policy.translation import match_of
from models.policy.words import ANY, words_at


def check_counts(document: Document, sound: Sound, identities: Identities) -> None:
    """Note every set, pause and rule whose people cannot be enough."""
    for name, approvers in sound.shape.approvers.items():
        if not approvers.people and not approvers.groups:
            sentence = "It is empty, so nobody could approve. Name people or groups."
            document.mistake(("approvers", name), sentence, key=True)
    _check_resume(document, sound, identities)
    agents = dict(counted_agents(document))
    asks = all_asks(agents)
    for place, match, ask in counted_rules(document):
        names = sorted({asks[one].agent for one in spoken_of(match_of(match), asks)})
        for sentence in _shortages(sound, identities, ask, {name: agents[name] for name in names}):
            document.mistake(("rules", place, "ask", "quorum"), sentence)


def all_asks(agents: Mapping[str, AgentShape]) -> tuple[Wish, ...]:
    """Return everything that any agent may ask for."""
    return tuple(ask for name, agent in agents.items() for ask in asks_of(name, agent.verbs, agent.namespaces))


def _check_resume(document: Document, sound: Sound, identities: Identities) -> None:
    names = [name for _, name in words_at(document, "pausing", "may_resume", ANY)]
    if not names:
        return
    persons = yield_of_names(sound, identities, names)
    if persons is not None and len(persons) < RESUMERS:
        sentence = f"A resume takes {RESUMERS} different people; here there is {_people(len(persons))}. Name more."
        document.mistake(("pausing", "may_resume"), sentence)


def _shortages(sound: Sound, identities: Identities, ask: AskShape, agents: dict[str, AgentShape]) -> Iterable[str]:
    """Return a sentence where nobody's quorum can be met, else one for each agent whose owners are needed for it."""
    persons = yield_of_names(sound, identities, ask.approvers)
    if persons is None:
        return
    never = f"A quorum of {ask.quorum} can never be met"
    sets = f"{listed(ask.approvers)} {'has' if len(ask.approvers) == 1 else 'have'}"
    if ask.quorum > len(persons):
        yield f"{never}: {sets} {_people(len(persons))}."
        return
    for name, agent in agents.items():
        left = len(may_approve(persons, identities, ask, agent))
        if left < ask.quorum:
            yield f"{never} for agent `{name}`: {sets} {_people(left)} beside its owners, who may not approve here."


def may_approve(persons: frozenset[str], identities: Identities, ask: AskShape, agent: AgentShape) -> frozenset[str]:
    """Return those of *persons* who may approve what *agent* asks for: its owners only where the rule says so."""
    owners = (agent.owners.business, agent.owners.technical, agent.owners.risk)
    return persons if ask.owners_may_approve else persons - identities.persons_of(owners)


def yield_of_names(sound: Sound, identities: Identities, names: Iterable[str]) -> frozenset[str] | None:
    """Return the persons of the sets called *names*; None where a group, or a set that is faulty itself, is among them."""
    sets: list[ApproversShape] = []
    for name in names:
        found = sound.shape.approvers.get(name)
        if found is None or not all(identities.accounts_of(who) for who in found.people):
            return None
        sets.append(found)
    return identities.yield_of(sets)


def _people(number: int) -> str:
    return {0: "nobody", 1: "1 person"}.get(number, f"{number} people")
