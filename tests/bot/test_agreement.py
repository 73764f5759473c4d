"""Whether this process has the policy that is in force, and what rules where it has not."""

from dataclasses import replace
from pathlib import Path

import pytest

from approvals.audit.events import ITSELF
from approvals.usecases.operation.adopt import Adopt
from bot.agreement import Agreement
from bot.policies import PolicyFile
from models.store.policy_in_force import PolicyInForce
from tests.models.records import now_of

EXAMPLE = (Path(__file__).parents[2] / "policy.example.yml").read_text()
OTHER = EXAMPLE.replace("description: Above it", "description: Beyond it")


class Replica:
    """One process: its file, and its look at the row."""

    def __init__(self, store, path: Path, text: str) -> None:
        path.write_text(text)
        self._store = store
        self._path = path
        self.row = PolicyInForce(store)
        self.policies = PolicyFile(path)
        self._adopt(self.policies.current(), text)
        self.agreement = Agreement(self.row, self.policies, loaded_at=now_of(store))

    def change(self, text: str) -> None:
        """Have another file, and load it."""
        self._path.write_text(text)
        self.policies.reload(self._adopt)
        self.agreement.loaded(now_of(self._store))

    def lead(self) -> None:
        """Put its file in force, if it is newer."""
        self.agreement.lead(self.row.move)

    @property
    def rules_by(self) -> list[str]:
        """The versions by which it rules."""
        self.agreement.look()
        return [one.version for one in self.policies.current().versions]

    def _adopt(self, policy, text) -> None:
        Adopt(store=self._store)(policy, text, by=ITSELF)


@pytest.fixture
def pair(sqlite_store, tmp_path):
    """Two processes with the same file, the first of which leads."""
    leader, follower = (Replica(sqlite_store, tmp_path / f"{name}.yml", EXAMPLE) for name in "ab")
    leader.lead()
    return leader, follower


def versions(*replicas: Replica) -> list[str]:
    """Return the versions of their own files."""
    return [one.policies.current().version for one in replicas]


def test_where_all_have_the_same_file_it_rules_alone(pair):
    """Nothing differs, and nothing is said."""
    leader, follower = pair
    (version, _) = versions(*pair)

    assert (leader.rules_by, follower.rules_by) == ([version], [version])
    assert (leader.agreement.differs, follower.agreement.differs) == (None, None)


def test_a_follower_with_a_newer_file_waits_for_the_leader(pair):
    """It rules by both, and says so; once the leader has the file, the leader moves the row, and both rule by it alone."""
    leader, follower = pair
    (old, _) = versions(*pair)
    follower.change(OTHER)
    (_, new) = versions(*pair)

    assert follower.rules_by == [new, old]
    assert new[:12] in (follower.agreement.differs or "")
    assert leader.rules_by == [old]
    leader.change(OTHER)
    leader.lead()
    assert (leader.rules_by, follower.rules_by) == ([new], [new])
    assert follower.agreement.differs is None


def test_a_follower_left_behind_rules_by_both(pair):
    """The leader's newer file is in force; who still has the older one allows what both allow, even where it begins to lead."""
    leader, follower = pair
    leader.change(OTHER)
    leader.lead()
    new, old = versions(*pair)

    assert follower.rules_by == [old, new]
    follower.lead()
    assert follower.rules_by == [old, new]
    assert leader.rules_by == [new]


def test_a_version_that_this_release_cannot_read_allows_nothing(pair, sqlite_store):
    """A file of a later release stands beside ours as one that denies everything; a stop is still a stop."""
    leader, follower = pair
    with sqlite_store.writing() as uow:
        unread = follower.policies.current()
        uow.keep_policy(replace(unread, version="f" * 64), "what: ?")
    leader.row.move("f" * 64, now_of(sqlite_store))

    assert follower.rules_by[1:] == ["f" * 64]
    (_, beside) = follower.policies.current().versions
    assert (beside.rules, beside.may_resume, beside.may_pause) == ((), (), unread.may_pause)
