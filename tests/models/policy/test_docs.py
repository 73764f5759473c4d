"""The documentation of the policy is true: its examples load, its keys are all there are, its mistakes are those told."""

import re
from pathlib import Path

import pytest

from models.policy.file import check_policy, describe
from models.policy.shapes import (
    AgentShape,
    ApproversShape,
    AskShape,
    ClusterShape,
    DigestShape,
    EnvironmentShape,
    LimitShape,
    MatchShape,
    OwnersShape,
    PausingShape,
    PolicyShape,
    RuleShape,
    TimeoutShape,
)
from sandbox.workspace.seed import default_seed
from tests.models.policy.cases import MISTAKES
from tests.models.policy.test_reading import BORROWED
from tests.models.policy.test_remarks import REMARKS

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/policy.md").read_text()
EXAMPLE = (ROOT / "policy.example.yml").read_bytes()
SHAPES = (
    PolicyShape,
    ApproversShape,
    PausingShape,
    EnvironmentShape,
    ClusterShape,
    DigestShape,
    AgentShape,
    OwnersShape,
    LimitShape,
    RuleShape,
    MatchShape,
    AskShape,
    TimeoutShape,
)


def test_the_examples_of_the_page_are_a_policy():
    """The fragments, put together, load without a mistake and without a warning."""
    fragments = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)

    checked = check_policy("".join(fragments).encode())

    assert [str(remark) for remark in checked.remarks] == [
        "57:5: note: rules[2]: It denies part of what rule `payments` asks about; a denial wins wherever it stands."
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_is_explained(shape):
    """No key can be added without a word on the page."""
    missing = [name for name in shape.model_fields if not re.search(rf"`{name}\b|\b{name}: ", DOCUMENT)]

    assert missing == []


def bare(sentence):
    """Return a sentence without what is an example in it: names, lists of names, numbers."""
    text = re.sub(r"the keys are .*?(?= Did|$)", "the keys are ...", sentence)
    text = re.sub(r"`[^`]*`", "`x`", text)
    text = re.sub(r"(`x`, )+`x`|none so far", "`x`", text)
    text = re.sub(r" Did you mean `x`\?", "", text)
    text = re.sub(r"no (environment|cluster|agent|approver set|verb|kind) `x`", "no approver set `x`", text)
    text = re.sub(r"No (agent|verb|kind) starts", "No environment starts", text)
    text = re.sub(r"`x` is missing: .*", "`x` is missing.", text)
    text = re.sub(r"\bnobody\b|\b1 person\b|\d+ people", "1 person", text)
    return re.sub(r"U\+[0-9A-F]+|-?\d+[smhd]?", "1", text)


ROWS = {bare(row) for row in re.findall(r"^\| (.+?) \|", DOCUMENT, re.MULTILINE)}


def sentences():
    """Return every sentence that the tests of mistakes expect."""
    told = [line for _, expected in (*MISTAKES.values(), *BORROWED.values()) for line in expected]
    return sorted({line.split(": ", 1)[1] for line in told})


def test_every_mistake_is_on_the_page():
    """Whoever is told of a mistake can look it up; paths stand before the sentence and are not part of it."""
    missing = []
    for line in sentences():
        _, _, after_path = line.partition(": ")
        if bare(line) not in ROWS and bare(after_path) not in ROWS:
            missing.append(line)

    assert missing == []


def test_every_remark_is_on_the_page():
    """Likewise for remarks."""
    told = [line.split(": ", 3)[3] for _, expected in REMARKS.values() for line in expected]

    assert [line for line in told if bare(line) not in ROWS] == []


def test_the_example_policy_loads():
    """The file that people copy has no mistakes, and its one denial is the only thing remarked."""
    checked = check_policy(EXAMPLE)

    assert describe(checked.policy).splitlines()[0].partition(": ")[2] == (
        "2 environments, 2 agents, 2 approver sets, 2 limits, 5 rules (4 asking, 1 denying)."
    )
    assert {(remark.weight.value, remark.path) for remark in checked.remarks} == {("note", "rules[4]")}
    assert set(checked.policy.environments) == {"demo", "prod-eu-1"}
    assert set(checked.policy.charters) == {"scaler", "healer"}


def test_the_example_policy_is_of_the_embedded_workspace():
    """Every account, group and channel of the example exists there, so that it can be tried there as it stands."""
    policy, seed = check_policy(EXAMPLE).policy, default_seed()
    known = {user.id for user in seed.users if not user.deleted}
    known |= {group.id for group in seed.groups} | {channel.id for channel in seed.channels}

    named: set[str] = {account for account in policy.people.names if not account.startswith("os:")}
    named |= {one for approvers in policy.approver_sets.values() for one in approvers.accounts | approvers.groups}
    named |= {environment.channel for environment in policy.environments.values()}
    named |= {one for charter in policy.charters.values() for one in charter.owners.accounts | charter.acts_for}

    assert {one.partition(":")[0] for one in named} == {seed.team_id}
    assert {one.partition(":")[2] for one in named} - known == set()
