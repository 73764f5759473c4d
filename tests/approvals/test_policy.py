"""Policy: nothing unless a rule asks, a denial over everything, all rules that ask satisfied at once; reasons with it all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.change.action import ProposedAction, Wish
from approvals.change.risk import Risk
from approvals.errors import OutOfScope
from approvals.identity.names import Account
from approvals.identity.people import People
from approvals.policy.clauses import Outcome, reasons_of, rules_of
from approvals.policy.policy import PROTECTED_NAMESPACES, Asking, Match, Policy, Rule, Timeout
from approvals.policy.ruling import Requirement, Ruling, rule_on
from tests.approvals.strategies import FEW
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    HOUR,
    MINUTE,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    a_target,
    a_timeout,
    a_wish,
    an_action,
    an_approver_set,
    an_asking,
)

PLATFORM = an_approver_set()
MANAGERS = an_approver_set("managers", accounts=[BORIS, ELI])


def ruled(
    policy: Policy | None = None,
    *,
    agent: str = "scaler",
    environment: str = "prod-eu-1",
    action: ProposedAction | None = None,
    on_behalf_of: Account | None = CHEN,
    risk: Risk = Risk.LOW,
    timeout: timedelta | None = None,
) -> Ruling:
    """Return the ruling on scaling ``shop/checkout``, without its tree: what it concludes and says."""
    ruling = rule_on(
        policy or a_policy(),
        Wish(agent=agent, environment=environment, action=action or an_action(), on_behalf_of=on_behalf_of),
        risk=risk,
        timeout=timeout,
    )
    assert ruling.tree is not None
    assert (ruling.rules, ruling.reasons) == (rules_of(ruling.tree), reasons_of(ruling.tree))
    assert ruling.asks is (ruling.tree.outcome is Outcome.ASKS)
    return replace(ruling, tree=None)


def with_rules(*rules: Rule, **changed: Any) -> Policy:
    """Return the policy with these rules, and two approver sets."""
    return a_policy(rules=rules, approver_sets={"platform": PLATFORM, "managers": MANAGERS}, **changed)


def denied(*, rules: tuple[str, ...], reasons: tuple[str, ...], risk: Risk = Risk.LOW) -> Ruling:
    """Return a ruling that denies."""
    return Ruling(policy="a" * 64, asks=False, rules=rules, reasons=reasons, risk=risk)


def test_one_rule_that_asks_gives_the_whole_ruling():
    """Who, how many, how long, who may not: all of it is in the ruling, with the reason and the policy's version."""
    assert ruled() == Ruling(
        policy="a" * 64,
        asks=True,
        rules=("shop-changes",),
        reasons=("Rule shop-changes asks platform.",),
        risk=Risk.LOW,
        panels=(Requirement(rule="shop-changes", sets=(PLATFORM,)),),
        quorum=1,
        timeout=15 * MINUTE,
        valid_for=15 * MINUTE,
        conflicted=frozenset({CHEN, DINA}),
        people=People(names={}),
    )


def test_what_no_rule_asks_about_is_denied():
    """Default deny: silence of the policy is a no, and says so."""
    for policy in (a_policy(rules=()), a_policy(rules=(a_rule(match=Match(verbs=frozenset({"restart"}))),))):
        assert ruled(policy, risk=Risk.HIGH) == denied(
            rules=(), reasons=("No rule asks about this, so it is denied.",), risk=Risk.HIGH
        )


@pytest.mark.parametrize("reason", ["", "Ask the shop's people."])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_denial_wins_wherever_it_stands(place, reason):
    """T-CFG-04: before, between or after rules that ask, a rule that denies has the last word, with its reason."""
    rules = [a_rule("one"), a_rule("two")]
    rules.insert(place, a_denial(reason=reason, verbs=frozenset({"scale"})))

    ruling = ruled(with_rules(*rules), risk=Risk.MEDIUM)

    said = f"Rule never denies it: {reason}" if reason else "Rule never denies it."
    assert ruling == denied(rules=("never",), reasons=(said,), risk=Risk.MEDIUM)


def test_every_denial_is_told():
    """Where several rules deny, all of them are named; those that ask are not."""
    policy = with_rules(a_denial("b", reason="Night."), a_rule(), a_denial("a"))

    assert ruled(policy) == denied(rules=("b", "a"), reasons=("Rule b denies it: Night.", "Rule a denies it."))


BUILT_IN = {
    "protected": (
        {"action": an_action(target=a_target(namespace="kube-system"))},
        "The namespace kube-system is protected; no rule can open it.",
    ),
    "ours": (
        {"action": an_action(target=a_target(namespace="countersign"))},
        "The namespace countersign is protected; no rule can open it.",
    ),
    "no charter": ({"agent": "stranger"}, "The policy has no charter for this agent."),
    "no environment": ({"environment": "prod-us-1"}, "The policy has no such environment."),
    "namespace": (
        {"action": an_action(target=a_target(namespace="pay"))},
        "The agent's charter does not include that namespace of that environment.",
    ),
    "person": ({"on_behalf_of": ELI}, "The agent's charter does not let it act for that person."),
}


@pytest.mark.parametrize(("asked", "reason"), BUILT_IN.values(), ids=BUILT_IN.keys())
def test_what_is_built_in_no_rule_can_open(asked, reason):
    """Protected namespaces, unknown agents and places, and whatever a charter leaves out are denied over a rule for all."""
    policy = with_rules(
        a_rule(match=Match()), charters={"scaler": a_charter(namespaces={"prod-eu-1": frozenset({"shop"})})}
    )

    assert ruled(policy, **asked) == denied(rules=("built-in",), reasons=(reason,))


def test_a_charter_narrowed_since_denies_what_was_asked_before():
    """I10: the charter is asked again at every judgement, so that taking a verb away takes effect on open questions."""
    narrowed = a_policy(charters={"scaler": a_charter(verbs=frozenset({"restart"}))})

    assert ruled(narrowed) == denied(rules=("built-in",), reasons=("The agent's charter does not include that verb.",))


def test_the_protected_namespaces_are_the_clusters_own_and_ours():
    """A namespace that vanished from this set would be open to every rule that says any."""
    assert {"kube-system", "kube-public", "kube-node-lease", "countersign"} == PROTECTED_NAMESPACES


def test_all_rules_that_ask_must_be_satisfied():
    """Highest risk, most people, shortest times, every panel, and no owner unless all rules let owners approve."""
    one = an_asking(
        risk=Risk.MEDIUM,
        quorum=2,
        timeout=a_timeout(default=20 * MINUTE),
        valid_for=10 * MINUTE,
        owners_may_approve=True,
    )
    other = an_asking(
        risk=Risk.HIGH,
        approvers=("managers", "platform"),
        quorum=1,
        timeout=a_timeout(default=30 * MINUTE, most=18 * MINUTE),
        valid_for=12 * MINUTE,
    )

    ruling = ruled(with_rules(a_rule("one", asking=one), a_rule("other", asking=other)), risk=Risk.LOW)

    assert ruling == Ruling(
        policy="a" * 64,
        asks=True,
        rules=("one", "other"),
        reasons=("Rule one asks platform.", "Rule other asks managers or platform."),
        risk=Risk.HIGH,
        panels=(Requirement(rule="one", sets=(PLATFORM,)), Requirement(rule="other", sets=(MANAGERS, PLATFORM))),
        quorum=2,
        timeout=18 * MINUTE,
        valid_for=10 * MINUTE,
        conflicted=frozenset({CHEN, DINA}),
        people=People(names={}),
    )


def test_the_effects_own_risk_is_never_lowered():
    """A rule can raise what the effect puts at stake and not talk it down."""
    assert ruled(risk=Risk.CRITICAL).risk is Risk.CRITICAL


@pytest.mark.parametrize(
    ("on_behalf_of", "owners_may_approve", "conflicted"),
    [(CHEN, False, {CHEN, DINA}), (None, False, {DINA}), (CHEN, True, {CHEN}), (None, True, set())],
)
def test_who_asked_and_who_owns_the_agent_are_in_conflict(on_behalf_of, owners_may_approve, conflicted):
    """T-DEC-01, 02: the human behind the request never approves; owners only where every rule says so."""
    policy = with_rules(a_rule(asking=an_asking(owners_may_approve=owners_may_approve)))

    assert ruled(policy, on_behalf_of=on_behalf_of).conflicted == conflicted


def test_all_three_owners_are_in_conflict():
    """Business, technical and risk owner alike."""
    owners = replace(a_charter().owners, business=ADA, technical=BORIS, risk=ELI)

    assert owners.accounts == {ADA, BORIS, ELI}
    assert ruled(a_policy(charters={"scaler": a_charter(owners=owners)})).conflicted == {CHEN, ADA, BORIS, ELI}


def test_the_ruling_carries_the_map_of_people():
    """Who is one person is part of what was ruled by."""
    people = People(names={ADA: "ada"})

    assert ruled(a_policy(people=people)).people == people


ASKED = {
    "nothing": (None, 15 * MINUTE, ()),
    "less": (5 * MINUTE, 5 * MINUTE, ("An answer is wanted within 300 seconds.",)),
    "the least": (MINUTE, MINUTE, ("An answer is wanted within 60 seconds.",)),
    "too little": (
        MINUTE - timedelta(seconds=1),
        MINUTE,
        ("The agent asked for 59 seconds; the rules give people 60 seconds at least.",),
    ),
    "the most": (HOUR, HOUR, ("An answer is wanted within 3600 seconds.",)),
    "too much": (
        HOUR + timedelta(seconds=1),
        HOUR,
        ("The agent asked for 3601 seconds; the rules allow 3600 seconds at most.",),
    ),
}


@pytest.mark.parametrize(("asked", "granted", "reasons"), ASKED.values(), ids=ASKED.keys())
def test_an_agent_gets_the_time_it_asks_for_within_bounds(asked, granted, reasons):
    """Both bounds may be reached, neither passed, and a wish that was not granted whole is told (T-TIME-05)."""
    ruling = ruled(timeout=asked)

    assert ruling.timeout == granted
    assert ruling.reasons == ("Rule shop-changes asks platform.", *reasons)


TIMEOUTS = st.tuples(*[st.integers(0, 50)] * 3).map(
    lambda three: Timeout(
        least=timedelta(seconds=1 + three[0]),
        default=timedelta(seconds=1 + three[0] + three[1]),
        most=timedelta(seconds=1 + sum(three)),
    )
)


@FEW
@given(st.lists(TIMEOUTS, min_size=1, max_size=3), st.none() | st.integers(1, 200))
def test_nobody_waits_longer_than_every_rule_allows(timeouts, asked):
    """Whatever is asked for, no rule's most is passed; unasked, no rule's default; and the least gives way to the most."""
    rules = [a_rule(f"r{place}", asking=an_asking(timeout=one)) for place, one in enumerate(timeouts)]
    wish = None if asked is None else timedelta(seconds=asked)

    granted = ruled(with_rules(*rules), timeout=wish).timeout

    least, most = max(one.least for one in timeouts), min(one.most for one in timeouts)
    if wish is None:
        assert granted == min(most, *(one.default for one in timeouts))
    else:
        assert granted == min(max(wish, least), most)


@pytest.mark.parametrize("field", ["agents", "environments", "namespaces", "verbs", "kinds", "names"])
@pytest.mark.parametrize("fits", [True, False])
def test_a_rule_speaks_of_what_all_its_patterns_fit(field, fits):
    """Each field narrows: one that does not fit, and the rule does not speak of the action."""
    good = {
        "agents": "scaler",
        "environments": "prod-eu-1",
        "namespaces": "shop",
        "verbs": "scale",
        "kinds": "Deployment",
        "names": "checkout",
    }
    all_good = {name: frozenset({value, "other"}) for name, value in good.items()}
    match = Match(**{**all_good, field: frozenset({good[field] if fits else "other"})})

    assert match.takes(a_wish()) is fits


@pytest.mark.parametrize(
    ("patterns", "fits"),
    [
        (None, True),
        (frozenset(), False),
        (frozenset({"checkout"}), True),
        (frozenset({"check"}), False),
        (frozenset({"check*"}), True),
        (frozenset({"checkout*"}), True),
        (frozenset({"*"}), True),
        (frozenset({"cart*", "pay"}), False),
        (frozenset({"*out"}), False),
        (frozenset({"Checkout"}), False),
    ],
)
def test_a_trailing_star_means_any_ending(patterns, fits):
    """Any is said by leaving the field out; a star elsewhere is a letter that no name has."""
    assert Match(names=patterns).takes(a_wish()) is fits


RULES = st.lists(
    st.one_of(
        st.builds(
            a_denial, st.sampled_from("ab"), verbs=st.sampled_from([frozenset({"scale"}), frozenset({"restart"})])
        ),
        st.builds(
            lambda name, risk, quorum, approvers, valid, owners: a_rule(
                name,
                asking=Asking(
                    risk=risk,
                    approvers=approvers,
                    quorum=quorum,
                    timeout=a_timeout(),
                    valid_for=valid * MINUTE,
                    owners_may_approve=owners,
                ),
            ),
            st.sampled_from("cd"),
            st.sampled_from(Risk),
            st.integers(1, 3),
            st.sampled_from([("platform",), ("managers",), ("platform", "managers")]),
            st.integers(1, 9),
            st.booleans(),
        ),
    ),
    max_size=4,
)


@FEW
@given(RULES, st.randoms(use_true_random=False))
def test_the_order_of_rules_decides_nothing(rules, order):
    """Metamorphic: the same rules in another order give the same verdict, people, numbers and times."""
    turned = list(rules)
    order.shuffle(turned)

    one, other = ruled(with_rules(*rules)), ruled(with_rules(*turned))

    def said(ruling: Ruling) -> object:
        return replace(ruling, rules=(), reasons=(), panels=()), sorted(map(repr, ruling.panels)), sorted(ruling.rules)

    assert said(one) == said(other)


@FEW
@given(RULES, RULES)
def test_a_rule_more_never_makes_a_ruling_laxer(rules, more):
    """Metamorphic: adding rules to one that asks can raise risk, number and panels, shorten times, or deny; nothing else."""
    before = ruled(with_rules(a_rule(), *rules))
    after = ruled(with_rules(a_rule(), *rules, *more))

    if not before.asks:
        assert not after.asks
    elif after.asks:
        assert after.risk.rank >= before.risk.rank
        assert after.quorum >= before.quorum
        assert after.timeout <= before.timeout
        assert after.valid_for <= before.valid_for
        assert after.conflicted >= before.conflicted
        assert set(after.panels) >= set(before.panels)


def refusal_of(
    charter: Any, environment: str, action: ProposedAction, on_behalf_of: Account | None
) -> OutOfScope | None:
    """Return what the charter refuses with, or None."""
    try:
        charter.check(a_wish(environment=environment, action=action, on_behalf_of=on_behalf_of))
    except OutOfScope as refusal:
        return refusal
    return None


@pytest.mark.parametrize(
    ("environment", "action", "on_behalf_of", "field"),
    [
        ("prod-eu-1", an_action(), CHEN, None),
        ("prod-eu-1", an_action(), None, None),
        ("prod-us-1", an_action(), CHEN, "/action/target/namespace"),
        ("prod-eu-1", an_action(target=a_target(namespace="pay")), CHEN, "/action/target/namespace"),
        ("prod-eu-1", an_action("drain"), CHEN, "/action/verb"),
        ("prod-eu-1", an_action(), ELI, "/on_behalf_of"),
    ],
)
def test_a_charter_names_what_an_agent_may_ask_for(environment, action, on_behalf_of, field):
    """T-AUTH-03: outside of it the refusal is *out of scope* and points at the field."""
    refusal = refusal_of(a_charter(), environment, action, on_behalf_of)

    assert (refusal and (refusal.code, refusal.field)) == (field and ("out_of_scope", field))
