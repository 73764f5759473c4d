"""What is written is what rules: round trips, a second reading of the rules, and changes that may only make things stricter."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approvals.change.action import ProposedAction, Target, Wish
from approvals.change.risk import Risk
from approvals.policy.ruling import rule_on
from models.policy.file import load_policy
from tests.models.policy.documents import (
    AGENTS,
    CLAUSES,
    DENIAL,
    ENVIRONMENTS,
    NAMES,
    NAMESPACES,
    POLICIES,
    as_json,
    as_yaml,
    expected_policy,
    named,
)

THOROUGHLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A policy is a large thing to draw and to read; how long that takes on a busy machine proves nothing."""

FROM_FILES = settings(THOROUGHLY, max_examples=50)

QUESTIONS = st.fixed_dictionaries(
    {
        "agent": st.sampled_from([*AGENTS * 4, "stranger"]),
        "environment": st.sampled_from([*ENVIRONMENTS * 4, "nowhere"]),
        "action": st.builds(
            ProposedAction,
            verb=st.sampled_from(["scale", "restart"]),
            target=st.builds(
                Target,
                kind=st.sampled_from(["Deployment", "StatefulSet"]),
                namespace=st.sampled_from([*NAMESPACES * 4, "kube-system"]),
                name=st.sampled_from(NAMES),
            ),
            parameters=st.just({}),
        ),
        "on_behalf_of": st.sampled_from([None, "T0OTHER:U0RIA"]),
        "risk": st.sampled_from(Risk),
        "timeout": st.none() | st.integers(1, 90_000).map(lambda seconds: timedelta(seconds=seconds)),
    }
)


def ruled(policy, question):
    """Return the ruling on a question."""
    wish = {name: question[name] for name in ("agent", "environment", "action", "on_behalf_of")}
    return rule_on(policy, Wish(**wish), risk=question["risk"], timeout=question["timeout"])


@FROM_FILES
@given(POLICIES, st.sampled_from([as_json, as_yaml]))
def test_a_policy_means_what_is_written(document, write):
    """Any policy, in either style, becomes exactly the noun that a second translation gives."""
    data = write(document)

    assert load_policy(data) == expected_policy(document, data)


@FROM_FILES
@given(POLICIES)
def test_style_means_nothing(document):
    """Two ways to write the same policy differ in nothing but their version."""
    one, other = load_policy(as_json(document)), load_policy(as_yaml(document))

    assert (one.rules, one.charters, one.limits) == (other.rules, other.charters, other.limits)
    assert one.version != other.version


def fits(patterns, value):
    """Tell whether *value* is one of *patterns*, read letter by letter; None takes anything."""
    if patterns is None:
        return True
    return any(
        value == pattern or (pattern[-1] == "*" and value[: len(pattern) - 1] == pattern[:-1]) for pattern in patterns
    )


def is_outside_the_charter(document, question):
    """Tell whether the agent's charter lacks the verb, the namespace there, or the person it asks for."""
    charter, action = document["agents"][question["agent"]], question["action"]
    people = document.get("people", {})
    acts_for = {one for name in charter.get("acts_for", []) for one in people.get(name, [name])}
    return (
        action.verb not in charter["verbs"]
        or action.target.namespace not in charter["namespaces"].get(question["environment"], [])
        or (question["on_behalf_of"] is not None and question["on_behalf_of"] not in acts_for)
    )


def naive_ruling(document, question):
    """Return what must come out, written from the documentation: default deny, deny wins, all that ask must be satisfied."""
    action = question["action"]
    facts = {
        "agents": question["agent"],
        "environments": question["environment"],
        "namespaces": action.target.namespace,
        "verbs": action.verb,
        "kinds": action.target.kind,
        "names": action.target.name,
    }
    matching = [
        rule for rule in document["rules"] if all(fits(rule["match"].get(key), value) for key, value in facts.items())
    ]
    impossible = (
        facts["namespaces"] == "kube-system" or facts["agents"] == "stranger" or facts["environments"] == "nowhere"
    )
    if impossible or is_outside_the_charter(document, question):
        return False, {"built-in"}, None, None
    denying = {rule["name"] for rule in matching if "deny" in rule}
    if denying or not matching:
        return False, denying, None, None
    asks = [rule["ask"] for rule in matching]
    ranks = [Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL]
    risk = max([question["risk"], *(Risk(ask["risk"]) for ask in asks)], key=ranks.index)
    return True, {rule["name"] for rule in matching}, max(ask["quorum"] for ask in asks), risk


@FROM_FILES
@given(POLICIES, QUESTIONS)
def test_a_second_reading_of_the_rules_agrees(document, question):
    """T-CFG-04: the court and a naive evaluator of the document come to the same ruling."""
    ruling = ruled(load_policy(as_json(document)), question)

    asks, rules, quorum, risk = naive_ruling(document, question)
    assert (ruling.asks, set(ruling.rules)) == (asks, rules)
    if asks:
        assert (ruling.quorum, ruling.risk, ruling.valid_for <= timedelta(minutes=15)) == (quorum, risk, True)


def policy_of(document):
    """Return a document's policy without the way through a file, which the round trip above has proved."""
    return expected_policy(document, b"")


def substance(ruling):
    """Return a ruling without what only tells in which order it was read."""
    return (
        ruling.asks,
        frozenset(ruling.rules),
        frozenset(ruling.reasons),
        ruling.risk,
        frozenset(ruling.panels),
        ruling.quorum,
        ruling.timeout,
        ruling.valid_for,
        ruling.conflicted,
    )


@THOROUGHLY
@given(POLICIES, QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_rules_means_nothing(document, question, random):
    """T-CFG-04: whichever way the rules are sorted, the ruling is the same."""
    shuffled = list(document["rules"])
    random.shuffle(shuffled)

    first = ruled(policy_of(document), question)
    second = ruled(policy_of(document | {"rules": shuffled}), question)

    assert substance(second) == substance(first)


@THOROUGHLY
@given(POLICIES, QUESTIONS, DENIAL, st.integers(0, 5))
def test_one_more_denial_never_opens_anything(document, question, denial, place):
    """T-CFG-04: a rule that denies, put anywhere, never turns a denial into a question, nor changes one it does not hit."""
    rules = list(document["rules"])
    rules.insert(place, {"name": "one-more", **denial})

    before = ruled(policy_of(document), question)
    after = ruled(policy_of(document | {"rules": rules}), question)

    assert before.asks or not after.asks
    if after.asks:
        assert substance(after) == substance(before)


@THOROUGHLY
@given(POLICIES, QUESTIONS, CLAUSES)
def test_one_more_rule_never_makes_a_question_easier(document, question, clause):
    """Where something is asked already, any further rule leaves at least as many people, as much risk, as little time."""
    rules = [*document["rules"], {**named([clause])[0], "name": "one-more"}]

    before = ruled(policy_of(document), question)
    after = ruled(policy_of(document | {"rules": rules}), question)

    if before.asks and after.asks:
        assert after.quorum >= before.quorum
        assert after.risk.rank >= before.risk.rank
        assert after.valid_for <= before.valid_for
        assert set(after.panels) >= set(before.panels)
        assert after.conflicted >= before.conflicted
