"""The policy in force: a broken file never takes the place of a good one, and what is not on record does not rule."""

from pathlib import Path

import pytest

from approvals.errors import Malformed, Unavailable
from bot.policies import PolicyFile

EXAMPLE = (Path(__file__).parents[2] / "policy.example.yml").read_text()
OTHER = EXAMPLE.replace("description: Above it", "description: Beyond it")


@pytest.fixture
def file(tmp_path):
    """A good policy file."""
    path = tmp_path / "policy.yml"
    path.write_text(EXAMPLE)
    return path


def test_a_changed_file_is_adopted_on_record_first(file):
    """A new version is written down before it rules."""
    policies, seen = PolicyFile(file), []
    before = policies.current().version
    file.write_text(OTHER)

    changed = policies.reload(lambda policy, text: seen.append((policy.version, text, policies.current().version)))

    assert changed
    assert seen == [(policies.current().version, OTHER, before)]
    assert policies.text() == OTHER


def test_an_unchanged_file_changes_nothing(file):
    """The same bytes are the same version: nothing is written down again."""
    policies = PolicyFile(file)

    assert not policies.reload(lambda *_: pytest.fail("nothing to adopt"))


@pytest.mark.parametrize("text", [EXAMPLE + "\naprovers: {}\n", "", None])
def test_t_cfg_03_a_broken_file_keeps_the_old_policy(file, text):
    """A mistake, an empty file or none at all is logged and rules nothing (T-CFG-03)."""
    policies = PolicyFile(file)
    before = policies.current()
    file.unlink() if text is None else file.write_text(text)

    changed = policies.reload(lambda *_: pytest.fail("nothing to adopt"))

    assert (changed, policies.current()) == (False, before)


def test_what_cannot_be_written_down_does_not_rule(file):
    """While the store takes nothing, the old version stays in force."""
    policies = PolicyFile(file)
    before = policies.current()
    file.write_text(OTHER)

    def refuse(*_: object) -> None:
        raise Unavailable("the store is down")

    with pytest.raises(Unavailable):
        policies.reload(refuse)

    assert policies.current() == before


def test_the_start_is_refused_with_all_mistakes_and_their_lines(file):
    """Every mistake is told at once, each with the file, its line and what to do (T-CFG-01)."""
    file.write_text(
        EXAMPLE.replace("approvers: [on-call]", "approvers: [on-cal]", 1).replace("quorum: 2", "quorum: 0", 1)
    )

    with pytest.raises(Malformed) as refused:
        PolicyFile(file)

    assert refused.value.sentence.count(f"{file}:") == 2
    assert "on-call" in refused.value.sentence


def test_another_installations_name_takes_a_restart(file):
    """Every account in use bears the old name, so a file with a new one changes nothing while we serve."""
    policies = PolicyFile(file)
    before = policies.current()
    file.write_text(EXAMPLE.replace("installation: acme", "installation: other"))

    changed = policies.reload(lambda *_: pytest.fail("nothing to adopt"))

    assert (changed, policies.current()) == (False, before)
