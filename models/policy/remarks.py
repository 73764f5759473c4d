"""Remarks: what a policy may say and probably does not mean, and what is worth knowing about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from approvals.change.action import Wish
from approvals.policy.policy import Match, Policy
from models.policy.counting import all_asks, may_approve, yield_of_names
from models.policy.identities import Identities
from models.policy.mistakes import Path, Remark, Weight, listed, path_text
from models.policy.overlap import share_names, spoken_of
from models.policy.reading import Document
from models.policy.shapes import AskShape, RuleShape
from models.policy.shaping import Sound
from models.policy.translation import match_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clause:
    """A rule, its path in the file, and what it can speak of."""

    path: Path
    rule: RuleShape
    match: Match
    spoken: frozenset[int]
    """Of all that agents may ask for, by its place."""


def remarks_on(document: Document, sound: Sound, identities: Identities, policy: Policy) -> tuple[Remark, ...]:
    """Return what is to be said about *policy*, which is free of mistakes, in the order of its lines."""
    asks = all_asks(sound.shape.agents)
    clauses = tuple(_clause(place, rule, asks) for place, rule in sound.rules)
    found = [
        *_idle_agents(document, sound, asks, clauses),
        *_idle_rules(document, clauses),
        *_overlaps(document, sound, identities, clauses),
        *_requesters(document, sound, identities, asks, clauses),
        *_unused(document, policy),
    ]
    return tuple(sorted(found, key=lambda one: (one.line, one.column, one.sentence)))


def _clause(place: int, rule: RuleShape, asks: tuple[Wish, ...]) -> _Clause:
    match = match_of(rule.match)
    return _Clause(path=("rules", place), rule=rule, match=match, spoken=spoken_of(match, asks))


def _remark(document: Document, weight: Weight, path: Path, sentence: str, *, key: bool = False) -> Remark:
    line, column = document.place(path, key=key)
    return Remark(weight=weight, line=line, column=column, path=path_text(path), sentence=sentence)


def _idle_agents(
    document: Document, sound: Sound, asks: tuple[Wish, ...], clauses: Iterable[_Clause]
) -> Iterator[Remark]:
    asked = {asks[one].agent for clause in clauses if clause.rule.ask for one in clause.spoken}
    for name in sound.shape.agents:
        if name not in asked:
            sentence = "No rule asks about anything this agent may ask for, so everything it asks for is denied."
            yield _remark(document, Weight.WARNING, ("agents", name), sentence, key=True)


def _idle_rules(document: Document, clauses: Iterable[_Clause]) -> Iterator[Remark]:
    for clause in clauses:
        if not clause.spoken:
            weight = Weight.WARNING if clause.rule.ask else Weight.NOTE
            sentence = "No agent's charter includes anything this rule speaks of, so it never applies."
            yield _remark(document, weight, (*clause.path, "match"), sentence, key=True)


def _overlaps(document: Document, sound: Sound, identities: Identities, clauses: Iterable[_Clause]) -> Iterator[Remark]:
    for one, other in combinations(clauses, 2):
        if one.spoken.isdisjoint(other.spoken) or not share_names(one.match, other.match):
            continue
        if one.rule.ask and other.rule.ask:
            sentence = _deadlock(sound, identities, one.rule.name, one.rule.ask, other.rule.ask)
            if sentence:
                yield _remark(document, Weight.WARNING, other.path, sentence)
        elif one.rule.ask or other.rule.ask:
            denying, asking = (one, other) if other.rule.ask else (other, one)
            sentence = f"It denies part of what rule `{asking.rule.name}` asks about; a denial wins wherever it stands."
            yield _remark(document, Weight.NOTE, denying.path, sentence)


def _deadlock(sound: Sound, identities: Identities, name: str, one: AskShape, other: AskShape) -> str:
    """Return what to say where two rules ask about the same change and have too few people in common, else nothing."""
    first = yield_of_names(sound, identities, one.approvers)
    second = yield_of_names(sound, identities, other.approvers)
    needed = max(one.quorum, other.quorum)
    if first is None or second is None or len(first & second) >= needed:
        return ""
    return (
        f"Where rule `{name}` asks as well, an approver must be accepted by both: of the {needed} needed there "
        f"can be {len(first & second)}, so nothing could be approved."
    )


def _requesters(
    document: Document, sound: Sound, identities: Identities, asks: tuple[Wish, ...], clauses: Iterable[_Clause]
) -> Iterator[Remark]:
    """Tell of people on whose behalf nothing could be approved, because they are needed for the quorum themselves."""
    for clause in clauses:
        if clause.rule.ask is None:
            continue
        for name in sorted({asks[one].agent for one in clause.spoken}):
            blocked = _blocked(sound, identities, clause.rule.ask, name)
            if blocked:
                sentence = f"When agent `{name}` acts for {listed(blocked)}, too few others are left for the quorum."
                yield _remark(document, Weight.WARNING, (*clause.path, "ask", "quorum"), sentence)


def _blocked(sound: Sound, identities: Identities, ask: AskShape, name: str) -> frozenset[str]:
    persons = yield_of_names(sound, identities, ask.approvers)
    if persons is None:
        return frozenset()
    agent = sound.shape.agents[name]
    left = may_approve(persons, identities, ask, agent)
    return frozenset(who for who in agent.acts_for if len(left - identities.persons_of((who,))) < ask.quorum)


def _unused(document: Document, policy: Policy) -> Iterator[Remark]:
    named = {name for rule in policy.rules if rule.asking for name in rule.asking.approvers}
    for name in policy.approver_sets.keys() - {*named, *policy.may_pause, *policy.may_resume}:
        yield _remark(document, Weight.NOTE, ("approvers", name), "No rule and no pause names this set.", key=True)
    chartered = {environment for charter in policy.charters.values() for environment in charter.namespaces}
    for name in policy.environments.keys() - chartered:
        yield _remark(document, Weight.NOTE, ("environments", name), "No agent may ask for anything here.", key=True)
    for name in policy.clusters:
        if not policy.environments_in(name):
            yield _remark(document, Weight.NOTE, ("clusters", name), "No environment is in this cluster.", key=True)
