"""What a policy may say and probably does not mean is remarked, with its place, and loads all the same."""

import pytest

from models.policy.file import check_policy, describe
from tests.models.policy.texts import BASE, changed

SECOND_RULE = """\
  - name: second
    match: {match}
    ask:
      risk: low
      approvers: [{approvers}]
      quorum: {quorum}
      timeout: {{default: 15m, least: 1m, most: 1h}}
"""


def with_rule(*changes, match="{}", approvers="ops", quorum=1):
    """Return the small policy with a second rule that asks."""
    return changed(*changes) + SECOND_RULE.format(match=match, approvers=approvers, quorum=quorum).encode()


REMARKS = {
    "nothing to say": (BASE.encode(), []),
    "an agent that no rule asks about": (
        changed(("{environments: [demo]}", "{verbs: [restart]}")),
        [
            (
                "21:3: warning: agents.scaler: No rule asks about anything this agent may ask for, so everything it "
                "asks for is denied."
            ),
            (
                "34:5: warning: rules[0].match: No agent's charter includes anything this rule speaks of, so it never "
                "applies."
            ),
        ],
    ),
    "a cluster without environments": (
        changed(
            ("environments:\n  demo:\n", "clusters:\n  main: {}\n  west: {context: w}\nenvironments:\n  demo:\n"),
            ("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: main"),
        ),
        ["17:3: note: clusters.west: No environment is in this cluster."],
    ),
    "a denial of what nobody may ask for": (
        BASE.encode() + b"  - {name: no-tests, match: {namespaces: [test]}, deny: Never.}\n",
        ["40:22: note: rules[1].match: No agent's charter includes anything this rule speaks of, so it never applies."],
    ),
    "a denial inside what is asked": (
        BASE.encode() + b'  - {name: not-the-cart, match: {names: ["cart*"]}, deny: Never.}\n',
        ["40:5: note: rules[1]: It denies part of what rule `shop` asks about; a denial wins wherever it stands."],
    ),
    "a denial before what is asked": (
        changed(("rules:\n", 'rules:\n  - {name: not-the-cart, match: {names: ["cart*"]}, deny: Never.}\n')),
        ["33:5: note: rules[0]: It denies part of what rule `shop` asks about; a denial wins wherever it stands."],
    ),
    "a denial beside what is asked": (
        changed(("{environments: [demo]}", '{names: ["check*"]}'))
        + b'  - {name: not-the-cart, match: {names: ["cart*"]}, deny: Never.}\n',
        [],
    ),
    "two rules that nobody can satisfy both": (
        with_rule(
            ("    people: [T0LOCAL:U0CYD]\n    groups: [T0LOCAL:S0DBA]\n", "    people: [T0LOCAL:U0CYD, ben]\n"),
            approvers="dba",
            quorum=2,
        ),
        [
            (
                "39:5: warning: rules[1]: Where rule `shop` asks as well, an approver must be accepted by both: of the "
                "2 needed there can be 1, so nothing could be approved."
            )
        ],
    ),
    "two denials": (
        BASE.encode()
        + b'  - {name: one, match: {namespaces: ["s*"], verbs: [restart]}, deny: Never.}\n'
        + b"  - {name: two, match: {namespaces: [shop], names: [cart]}, deny: Never.}\n"
        + b'  - {name: three, match: {names: ["c*"]}, deny: Never.}\n',
        [
            "40:17: note: rules[1].match: No agent's charter includes anything this rule speaks of, so it never applies.",
            "41:5: note: rules[2]: It denies part of what rule `shop` asks about; a denial wins wherever it stands.",
            "42:5: note: rules[3]: It denies part of what rule `shop` asks about; a denial wins wherever it stands.",
        ],
    ),
    "a pattern and a name that fit": (
        changed(("{environments: [demo]}", "{names: [cart]}"))
        + b'  - {name: three, match: {names: [wagon, "ca*"]}, deny: Never.}\n',
        ["40:5: note: rules[1]: It denies part of what rule `shop` asks about; a denial wins wherever it stands."],
    ),
    "a name and a pattern that fit": (
        changed(("{environments: [demo]}", '{names: ["ca*"]}'))
        + b"  - {name: three, match: {names: [cart]}, deny: Never.}\n",
        ["40:5: note: rules[1]: It denies part of what rule `shop` asks about; a denial wins wherever it stands."],
    ),
    "two rules about different names": (
        with_rule(
            ("    people: [T0LOCAL:U0CYD]\n    groups: [T0LOCAL:S0DBA]\n", "    people: [T0LOCAL:U0CYD]\n"),
            ("{environments: [demo]}", "{names: [checkout]}"),
            match='{names: [cart, "checkout-*"]}',
            approvers="dba",
        ),
        [],
    ),
    "two rules whose people a group may bring together": (with_rule(approvers="dba", quorum=2), []),
    "a person who asks and is needed": (
        changed(("acts_for: [T0LOCAL:U0RIA]", "acts_for: [ana, T0LOCAL:U0RIA]"), ("quorum: 1", "quorum: 2")),
        [
            "38:15: warning: rules[0].ask.quorum: When agent `scaler` acts for `ana`, too few others are left for the quorum."
        ],
    ),
    "a set and an environment that nobody uses": (
        changed(
            ("may_pause: [ops, dba]", "may_pause: [ops]"),
            (
                "  demo:\n",
                "  lab: {channel: T0LOCAL:C0LAB, zone: UTC, digest: {weekday: monday, at: 09:00}}\n  demo:\n",
            ),
        ),
        [
            "9:3: note: approvers.dba: No rule and no pause names this set.",
            "16:3: note: environments.lab: No agent may ask for anything here.",
        ],
    ),
}


@pytest.mark.parametrize(("data", "expected"), REMARKS.values(), ids=REMARKS.keys())
def test_what_was_probably_not_meant_is_remarked(data, expected):
    """A remark has its place and weight, and never keeps a policy from ruling."""
    assert [str(remark) for remark in check_policy(data).remarks] == expected


def test_a_policy_is_described_as_it_was_understood():
    """Counts first, then places, then for each agent what applies to it."""
    policy = check_policy(
        changed(
            (
                "environments:\n  demo:\n",
                "clusters:\n  kind: {context: kind-demo}\n  main: {}\nenvironments:\n  demo:\n",
            ),
            ("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: kind"),
            ("    verbs: [scale]", "    verbs: [scale, restart]\n    when_token_revoked: flag"),
            ("rules:\n", 'rules:\n  - {name: never, match: {names: ["ledger*"]}, deny: Not this year.}\n'),
            ("      quorum: 1", "      quorum: 2\n      valid_for: 90s\n      owners_may_approve: true"),
        )
        + b"  - {name: elsewhere, match: {namespaces: [test]}, deny: Never.}\n"
    ).policy

    assert describe(policy).splitlines() == [
        f"Policy {policy.version[:12]}: 1 environment, 1 agent, 2 approver sets, 1 limit, 3 rules (1 asking, 2 denying).",
        (
            "Installation lab: the bot's own account is countersign-lab/countersign, and what it has in a cluster begins with "
            "countersign-lab-."
        ),
        "Cluster kind: reached by the context kind-demo, of the environment demo.",
        "Cluster main: reached as the settings say, with no environment in it.",
        "Environment demo: in the cluster kind, asks in T0LOCAL:C0APPROVALS, digest on monday at 09:00 Europe/Berlin.",
        "Agent scaler may ask for restart, scale in demo/shop.",
        "  never denies: Not this year.",
        "  shop asks 2 of ops (owners included) within 15m (1m to 1h), risk at least low; good for 90s.",
        "  What was asked with a token that is revoked since stays open, and its card says so.",
    ]
