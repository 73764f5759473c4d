"""Every mistake a policy can hold, as changes to the small one, and exactly what is said of it."""

from approvals.verbs.registry import REGISTRY
from tests.models.policy.texts import BASE

_VERBS = ", ".join(f"`{verb.name}`" for verb in REGISTRY)
_KINDS = ", ".join(f"`{name}`" for name in sorted({kind.name for verb in REGISTRY for kind in verb.kinds}))
"""Whoever brings a verb changes no expectation here."""

_TWO_CLUSTERS = ("environments:\n", "clusters:\n  main: {}\n  west: {context: west}\nenvironments:\n")

MISTAKES = {
    # Where things are
    "no name for the installation": (
        [("installation: lab\n", "")],
        [
            (
                "1:1: `installation` is missing: a name for this installation that no other one has on its clusters, such as "
                "`acme`."
            )
        ],
    ),
    "a name with a dash for the installation": (
        [("installation: lab", "installation: lab-1")],
        [
            "2:15: installation: An installation's name is 1-20 lower-case letters and digits, a letter first, not `lab-1`."
        ],
    ),
    "a cluster by its context": (
        [("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: {context: kind-demo}")],
        [
            (
                "19:14: environments.demo.cluster: Name one of `clusters:` here; how it is reached, such as by a `context`, is "
                "said there."
            )
        ],
    ),
    "no cluster where there are some": (
        [_TWO_CLUSTERS],
        ["19:3: environments.demo: `cluster` is missing: which of the clusters it is in; there are `main`, `west`."],
    ),
    "a cluster that is not there": (
        [_TWO_CLUSTERS, ("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: wset")],
        [
            "22:14: environments.demo.cluster: There is no cluster `wset`; there are `main`, `west`. Did you mean `west`?"
        ],
    ),
    "a cluster where there are none": (
        [("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: main")],
        ["19:14: environments.demo.cluster: There is no cluster `main`; there are none so far."],
    ),
    "two clusters that are reached in the same way": (
        [
            ("environments:\n", "clusters:\n  a: {context: one}\n  b: {context: one}\nenvironments:\n"),
            ("    zone: Europe/Berlin", "    zone: Europe/Berlin\n    cluster: a"),
        ],
        [
            (
                "17:3: clusters.b: The cluster `a` is reached in the same way, so the two are one. Keep one of them, and let "
                "environments share it."
            )
        ],
    ),
    "a cluster with a name of many words": (
        [("environments:\n", "clusters:\n  The West: {}\nenvironments:\n")],
        [
            "16:3: clusters.The West: A cluster's name is 1-63 lower-case letters, digits and dashes, not `The West`.",
            "18:3: environments.demo: `cluster` is missing: which of the clusters it is in; there are `The West`.",
        ],
    ),
    # T-CFG-01
    "an unknown section": (
        [("approvers:\n", "aprovers:\n")],
        [
            "1:1: `approvers` is missing: who may decide, as named sets.",
            (
                "6:1: aprovers: There is no key `aprovers` here; the keys are version, installation, people, "
                "approvers, pausing, clusters, environments, agents, limits, rules. Did you mean `approvers`?"
            ),
            "13:15: pausing.may_pause[0]: There is no approver set `ops`; there are none so far.",
            "13:20: pausing.may_pause[1]: There is no approver set `dba`; there are none so far.",
            "14:16: pausing.may_resume[0]: There is no approver set `ops`; there are none so far.",
            "37:19: rules[0].ask.approvers[0]: There is no approver set `ops`; there are none so far.",
        ],
    ),
    "an unknown key of a rule": (
        [("      quorum: 1", "      qourum: 1")],
        [
            "35:5: rules[0].ask: `quorum` is missing: how many different people must approve.",
            (
                "38:7: rules[0].ask.qourum: There is no key `qourum` here; the keys are risk, approvers, quorum, timeout, "
                "valid_for, owners_may_approve. Did you mean `quorum`?"
            ),
        ],
    ),
    "an empty set of approvers": (
        [("    people: [ana, ben]", "    people: []")],
        [
            "7:3: approvers.ops: It is empty, so nobody could approve. Name people or groups.",
            "14:15: pausing.may_resume: A resume takes 2 different people; here there is nobody. Name more.",
            "38:15: rules[0].ask.quorum: A quorum of 1 can never be met: `ops` has nobody.",
        ],
    ),
    "an approver set without a value": (
        [("  ops:\n    people: [ana, ben]", "  ops:")],
        ["7:7: approvers.ops: A mapping is wanted here: a line `key: value` for each entry."],
    ),
    "a wildcard for approvers": (
        [("    people: [ana, ben]", '    people: [ana, ben, "*"]')],
        [
            (
                "8:24: approvers.ops.people[2]: `*` would mean anybody. List people by name or account, or a Slack user "
                "group under `groups`."
            )
        ],
    ),
    "a quorum of nobody": (
        [("quorum: 1", "quorum: 0")],
        ["38:15: rules[0].ask.quorum: A quorum is from 1 to 10 people, not 0: nothing runs without a person."],
    ),
    "a quorum below nobody": (
        [("quorum: 1", "quorum: -1")],
        ["38:15: rules[0].ask.quorum: A quorum is from 1 to 10 people, not -1: nothing runs without a person."],
    ),
    "a quorum larger than the set": (
        [("quorum: 1", "quorum: 3")],
        ["38:15: rules[0].ask.quorum: A quorum of 3 can never be met: `ops` has 2 people."],
    ),
    "two accounts of one person for a quorum": (
        [
            ("  ana: [T0LOCAL:U0ANA, os:ana]", "  ana: [T0LOCAL:U0ANA, T0LOCAL:U0BEN]"),
            ("  ben: [T0LOCAL:U0BEN]", "  cyd: [os:cyd]"),
            ("[ana, ben]", "[T0LOCAL:U0ANA, T0LOCAL:U0BEN]"),
            ("quorum: 1", "quorum: 2"),
        ],
        [
            "14:15: pausing.may_resume: A resume takes 2 different people; here there is 1 person. Name more.",
            "38:15: rules[0].ask.quorum: A quorum of 2 can never be met: `ops` has 1 person.",
        ],
    ),
    "owners who are needed for the quorum": (
        [("{business: T0LOCAL:U0RIA,", "{business: ana,"), ("quorum: 1", "quorum: 2")],
        [
            (
                "38:15: rules[0].ask.quorum: A quorum of 2 can never be met for agent `scaler`: `ops` has 1 person beside "
                "its owners, who may not approve here."
            )
        ],
    ),
    "one person to resume": (
        [("    people: [ana, ben]", "    people: [ana, T0LOCAL:U0ANA]")],
        ["14:15: pausing.may_resume: A resume takes 2 different people; here there is 1 person. Name more."],
    ),
    "nobody to pause": (
        [("may_pause: [ops, dba]", "may_pause: []")],
        [
            "13:14: pausing.may_pause: The list is empty. Name at least one, or leave the key out where it may be left out."
        ],
    ),
    # No rule lets anything run without a person.
    "a rule that approves": (
        [("    match: {environments: [demo]}\n", "    match: {environments: [demo]}\n    approve: true\n")],
        [
            (
                "35:5: rules[0].approve: There is no `approve`: no rule can let anything run without a person. A rule has "
                "`deny` or `ask`."
            )
        ],
    ),
    "an asking that allows": (
        [("      quorum: 1", "      quorum: 1\n      auto-approve: true")],
        [
            (
                "39:7: rules[0].ask.auto-approve: There is no `auto-approve`: no rule can let anything run without a "
                "person. A rule has `deny` or `ask`."
            )
        ],
    ),
    "a rule that does neither": (
        [(BASE[BASE.index("    ask:") :], "")],
        ["33:5: rules[0]: A rule has either `deny`, with the reason, or `ask`; this one has neither."],
    ),
    "a rule that does both": (
        [("    ask:\n", "    deny: Never.\n    ask:\n")],
        ["33:5: rules[0]: A rule has either `deny`, with the reason, or `ask`; this one has both."],
    ),
    # Names that stand for nothing
    "an unknown approver set": (
        [("approvers: [ops]", "approvers: [opps]")],
        [
            "37:19: rules[0].ask.approvers[0]: There is no approver set `opps`; there are `dba`, `ops`. Did you mean `ops`?"
        ],
    ),
    "an unknown person": (
        [("    people: [ana, ben]", "    people: [ana, ben, anna]")],
        ["8:24: approvers.ops.people[2]: There is no `anna` in `people:`. Did you mean `ana`?"],
    ),
    "a user without a team": (
        [("    people: [ana, ben]", "    people: [ana, ben, U0CYD]")],
        ["8:24: approvers.ops.people[2]: There is no `U0CYD` in `people:`. A Slack account is written TEAM:USER."],
    ),
    "an owner whom nobody knows": (
        [("risk: T0LOCAL:U0MIA", "risk: bne")],
        ["23:71: agents.scaler.owners.risk: There is no `bne` in `people:`. Did you mean `ben`?"],
    ),
    "an operator who is to approve": (
        [("    people: [ana, ben]", "    people: [ana, ben, os:root]")],
        [
            (
                "8:24: approvers.ops.people[2]: `os:root` has no Slack account: an operator at the command line may deny "
                "and pause, never approve."
            )
        ],
    ),
    "an agent that acts for an operator": (
        [("acts_for: [T0LOCAL:U0RIA]", "acts_for: [os:ria]")],
        [
            (
                "26:16: agents.scaler.acts_for[0]: `os:ria` has no Slack account: an operator at the command line may "
                "deny and pause, never approve."
            )
        ],
    ),
    "an unknown word for what a revocation does": (
        [("    acts_for: [T0LOCAL:U0RIA]", "    when_token_revoked: cancle")],
        ["26:25: agents.scaler.when_token_revoked: Write one of cancel, flag, not `cancle`. Did you mean `cancel`?"],
    ),
    "a revocation that does nothing": (
        [("    acts_for: [T0LOCAL:U0RIA]", "    when_token_revoked: false")],
        ["26:25: agents.scaler.when_token_revoked: Write one of cancel, flag, not `false`."],
    ),
    "an unknown verb of an agent": (
        [("verbs: [scale]", "verbs: [sclae]")],
        [f"24:13: agents.scaler.verbs[0]: There is no verb `sclae`; there are {_VERBS}. Did you mean `scale`?"],
    ),
    "an unknown environment of an agent": (
        [("namespaces: {demo: [shop]}", "namespaces: {demoo: [shop]}")],
        [
            (
                "25:18: agents.scaler.namespaces.demoo: There is no environment `demoo`; there are `demo`. Did you mean "
                "`demo`?"
            )
        ],
    ),
    "unknown names in a match": (
        [
            (
                "{environments: [demo]}",
                '{agents: [skaler], environments: ["prod-*"], verbs: [delete], kinds: [deployment, "Pod*"]}',
            )
        ],
        [
            "34:22: rules[0].match.agents[0]: There is no agent `skaler`; there are `scaler`. Did you mean `scaler`?",
            "34:46: rules[0].match.environments[0]: No environment starts with `prod-`; there are `demo`.",
            f"34:65: rules[0].match.verbs[0]: There is no verb `delete`; there are {_VERBS}.",
            (
                f"34:82: rules[0].match.kinds[0]: There is no kind `deployment`; there are {_KINDS}. "
                "Did you mean `Deployment`?"
            ),
            f"34:94: rules[0].match.kinds[1]: No kind starts with `Pod`; there are {_KINDS}.",
        ],
    ),
    "an account that two people share": (
        [("  ben: [T0LOCAL:U0BEN]", "  ben: [T0LOCAL:U0BEN, os:ana]")],
        ["5:24: people.ben[1]: `os:ana` belongs to `ana` already; an account is one person's."],
    ),
    "two rules of one name": (
        [("rules:\n", "rules:\n  - {name: shop, match: {}, deny: Never.}\n")],
        ["34:11: rules[1].name: The rule on line 33 is called `shop`, too. Rename one of them."],
    ),
    "a rule called like the built-in ones": (
        [("name: shop", "name: built-in")],
        ["33:11: rules[0].name: `built-in` names the denials that no file can lift. Choose another name."],
    ),
    # Charters
    "a protected namespace": (
        [("{demo: [shop]}", "{demo: [kube-system, shop]}")],
        ["25:25: agents.scaler.namespaces.demo[0]: `kube-system` is protected; no policy can open it. Remove it."],
    ),
    "any namespace": (
        [("{demo: [shop]}", '{demo: ["*"]}')],
        [
            (
                "25:25: agents.scaler.namespaces.demo[0]: A namespace is named in full: 1-63 lower-case letters, digits "
                "and dashes, not `*`."
            )
        ],
    ),
    "no namespace": (
        [("{demo: [shop]}", "{}")],
        ["25:17: agents.scaler.namespaces: It names no environment, so the agent may ask for nothing."],
    ),
    "no verb": (
        [("verbs: [scale]", "verbs: []")],
        [
            "24:12: agents.scaler.verbs: The list is empty. Name at least one, or leave the key out where it may be left out."
        ],
    ),
    "an owner too few": (
        [(", risk: T0LOCAL:U0MIA", "")],
        ["23:5: agents.scaler.owners: `risk` is missing: who answers for what it may break."],
    ),
    "no charter": (
        [("    charter: Keeps the shop fast.\n", "")],
        ["21:3: agents.scaler: `charter` is missing: one sentence that says what it is for."],
    ),
    "a charter without words": (
        [("charter: Keeps the shop fast.", "charter:")],
        ["22:13: agents.scaler.charter: It has no value."],
    ),
    "a charter of blanks": (
        [("charter: Keeps the shop fast.", 'charter: " "')],
        ["22:14: agents.scaler.charter: It is empty."],
    ),
    "a charter like a novel": (
        [("charter: Keeps the shop fast.", f"charter: {'a' * 301}")],
        ["22:14: agents.scaler.charter: It has 301 characters; 300 are the most."],
    ),
    "a charter as list": (
        [("charter: Keeps the shop fast.", "charter: [a]")],
        ["22:14: agents.scaler.charter: A single value is wanted here, not a list."],
    ),
    "a charter as mapping": (
        [("charter: Keeps the shop fast.", "charter: {a: b}")],
        ["22:14: agents.scaler.charter: A single value is wanted here, not a mapping."],
    ),
    "an agent in capitals": (
        [("  scaler:", "  Scaler:")],
        [
            (
                "21:3: agents.Scaler: An agent's name is 1-30 lower-case letters, digits and dashes, a letter first, not "
                "`Scaler`."
            )
        ],
    ),
    # Kinds of values
    "another version": (
        [("version: 1", "version: 2")],
        ["1:10: version: This program reads version 1 of the format, not version 2."],
    ),
    "a version as text": (
        [("version: 1", "version: '1'")],
        ["1:10: version: A whole number is wanted here, without quotes, not `1`."],
    ),
    "an account without a team": (
        [("  ben: [T0LOCAL:U0BEN]", "  ben: [U0BEN]")],
        ["5:9: people.ben[0]: An account is TEAM:USER, such as T0123ABCD:U0123ABCD, or os:NAME, not `U0BEN`."],
    ),
    "a list where one stands": (
        [("  ben: [T0LOCAL:U0BEN]", "  ben: T0LOCAL:U0BEN")],
        ["5:8: people.ben: A list is wanted here: `[one, two]`, or a line with `- ` for each."],
    ),
    "an approver listed twice": (
        [("    people: [ana, ben]", "    people: [ana, ben, ana]")],
        ["8:13: approvers.ops.people: `ana` is listed twice. Keep one of them."],
    ),
    "a name with a blank": (
        [("  ben: [T0LOCAL:U0BEN]", "  ben stone: [T0LOCAL:U0BEN]")],
        [
            "5:3: people.ben stone: A name is 1-63 letters, digits, dots, dashes and underscores, not `ben stone`.",
            "8:19: approvers.ops.people[1]: There is no `ben` in `people:`.",
        ],
    ),
    "a channel as people call it": (
        [("channel: T0LOCAL:C0APPROVALS", "channel: '#approvals'")],
        ["17:14: environments.demo.channel: A channel is TEAM:CHANNEL, such as T0123ABCD:C0123ABCD, not `#approvals`."],
    ),
    "a group as people call it": (
        [("groups: [T0LOCAL:S0DBA]", "groups: ['@dba']")],
        ["11:14: approvers.dba.groups[0]: A user group is TEAM:SUBTEAM, such as T0123ABCD:S0123ABCD, not `@dba`."],
    ),
    "an unknown zone": (
        [("zone: Europe/Berlin", "zone: Europe/Berln")],
        [
            (
                "18:11: environments.demo.zone: `Europe/Berln` is no IANA time zone, such as Europe/Berlin. Did you mean "
                "`Europe/Berlin`?"
            )
        ],
    ),
    "a zone that leaves the database": (
        [("zone: Europe/Berlin", "zone: ../../etc/passwd")],
        ["18:11: environments.demo.zone: `../../etc/passwd` is no IANA time zone, such as Europe/Berlin."],
    ),
    "a weekday in another language": (
        [("weekday: monday", "weekday: Montag")],
        [
            (
                "19:23: environments.demo.digest.weekday: Write one of monday, tuesday, wednesday, thursday, friday, "
                "saturday, sunday, not `Montag`. Did you mean `monday`?"
            )
        ],
    ),
    "a time after the last": (
        [("at: 09:00", "at: 24:00")],
        ["19:35: environments.demo.digest.at: A time of day is wanted here, such as 09:00, not `24:00`."],
    ),
    "a ceiling with its unit": (
        [("ceiling: 0.80", "ceiling: 80%")],
        ["29:14: limits.cpu.ceiling: A number such as 0.80 is wanted here, without quotes or unit, not `80%`."],
    ),
    "a ceiling in digits that round": (
        [("ceiling: 0.80", "ceiling: 8e-1")],
        ["29:14: limits.cpu.ceiling: A number such as 0.80 is wanted here, without quotes or unit, not `8e-1`."],
    ),
    "a quorum that YAML reads as octal": (
        [("quorum: 1", "quorum: 01")],
        [
            (
                "38:15: rules[0].ask.quorum: `01` is one number to some YAML programs and another to others. Drop the "
                "leading 0."
            )
        ],
    ),
    "a quorum in words": (
        [("quorum: 1", "quorum: one")],
        ["38:15: rules[0].ask.quorum: A whole number is wanted here, not `one`."],
    ),
    "a quorum without a value": (
        [("quorum: 1", "quorum: ~")],
        ["38:15: rules[0].ask.quorum: It has no value."],
    ),
    "a quorum of a crowd": (
        [("quorum: 1", "quorum: 11")],
        ["38:15: rules[0].ask.quorum: A quorum is from 1 to 10 people, not 11: nothing runs without a person."],
    ),
    "yes": (
        [("      quorum: 1", "      quorum: 1\n      owners_may_approve: yes")],
        ["39:27: rules[0].ask.owners_may_approve: Write true or false, without quotes, not `yes`."],
    ),
    "true in quotes": (
        [("      quorum: 1", "      quorum: 1\n      owners_may_approve: 'true'")],
        ["39:27: rules[0].ask.owners_may_approve: Write true or false, without quotes, not `true`."],
    ),
    "a risk of one's own": (
        [("risk: low", "risk: severe")],
        ["36:13: rules[0].ask.risk: Write one of low, medium, high, critical, not `severe`."],
    ),
    "a duration without unit": (
        [("default: 15m", "default: 900")],
        [
            (
                "39:26: rules[0].ask.timeout.default: A duration is a whole number with its unit, such as 90s, 15m, 1h "
                "or 2d, not `900`."
            )
        ],
    ),
    "no time at all": (
        [("least: 1m", "least: 0s")],
        [
            (
                "39:38: rules[0].ask.timeout.least: A duration is a whole number with its unit, such as 90s, 15m, 1h or "
                "2d, not `0s`."
            )
        ],
    ),
    "more than a week": (
        [("most: 1h", "most: 8d")],
        ["39:48: rules[0].ask.timeout.most: `8d` is too long; 7d is the most."],
    ),
    "times out of order": (
        [("default: 15m", "default: 30s")],
        ["39:16: rules[0].ask.timeout: `default` must lie between `least` and `most`."],
    ),
    "an approval for longer than it can be trusted": (
        [("      quorum: 1", "      quorum: 1\n      valid_for: 16m")],
        ["39:18: rules[0].ask.valid_for: `16m` is too long; 15m is the most."],
    ),
    "a star in the middle": (
        [("{environments: [demo]}", '{names: ["check*out"]}')],
        [
            (
                "34:21: rules[0].match.names[0]: `check*out` can match nothing: names are plain, and `*` may only stand "
                "at the end."
            )
        ],
    ),
    "a match of nothing": (
        [("{environments: [demo]}", "{names: []}")],
        [
            (
                "34:20: rules[0].match.names: The list is empty. Name at least one, or leave the key out where it may be "
                "left out."
            )
        ],
    ),
    "a match left empty": (
        [("match: {environments: [demo]}", "match:")],
        ["34:11: rules[0].match: A mapping is wanted here: a line `key: value` for each entry."],
    ),
    "rules as mapping": (
        [(BASE[BASE.index("rules:\n") :], "rules: {}\n")],
        ["32:8: rules: A list is wanted here: `[one, two]`, or a line with `- ` for each."],
    ),
    "pausing left out": (
        [("pausing:\n  may_pause: [ops, dba]\n  may_resume: [ops]\n", "")],
        ["1:1: `pausing` is missing: who may pause and who may resume."],
    ),
}
