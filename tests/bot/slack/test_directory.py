"""The directory: live answers, short memory, and never a yes out of silence."""

from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from approvals.identity.names import Account
from approvals.identity.people import Membership, MemberStatus
from approvals.ports.store import Urgency
from bot.slack.workspace.directory import AT_ONCE, PATIENCE_SECONDS, Kept, SlackDirectory
from sandbox.workspace import UserGroup, default_seed
from tests.builders import ADA, BORIS, ELI, GROUP, HOUR, NOON, TEAM
from tests.waiting import wait_until


@pytest.fixture
def directory(make_office):
    """The directory of an office, and the office."""
    office = make_office(connect=False)
    office.ask = lambda *accounts, groups=(), at=NOON, anew=False: office.directory.authority(
        accounts=accounts, groups=groups, at=at, anew=anew
    )
    return office


def _calls(office, method):
    return sum(call.method == method for call in office.change(lambda: office.workspace.calls))


PEOPLE = {
    "a member": ("U0ADA", {}),
    "T-DEC-04 a multi-channel guest": ("U0ELI", {"full_member": False}),
    "T-DEC-05 a stranger": ("U0FAY", {"full_member": False}),
    "T-DEC-06 a bot": ("U0SHIPBOT", {"human": False}),
    "T-DEC-06 our own bot": ("U0COUNTERSIGN", {"human": False}),
    "T-DEC-07 a leaver": ("U0GUS", {"active": False}),
    "nobody": ("U0NOBODY", {"known": False, "active": False}),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_slacks_flags_become_a_standing(directory, name):
    """What Slack says of an account is what is known of it, stamped with the instant before the call."""
    user, flags = PEOPLE[name]
    account = f"{TEAM}:{user}"

    answer = directory.ask(account)

    assert dict(answer.standings) == {account: MemberStatus(account=Account(account), seen_at=NOON, **flags)}


def test_slackbot_is_no_person(make_office):
    """T-DEC-06: Slack says that USLACKBOT is no bot; it is none of us all the same."""
    seed = default_seed()
    office = make_office(
        connect=False, seed=replace(seed, users=(*seed.users, replace(seed.users[0], id="USLACKBOT", name="slackbot")))
    )
    account = f"{TEAM}:USLACKBOT"

    answer = office.directory.authority(accounts=[account], groups=(), at=NOON)

    assert answer.standings[account].human is False


@pytest.mark.parametrize("account", ["T0PARTNER:U0ADA", "T0PARTNER:U0FAY", "T0OTHER:U0NOBODY"])
def test_an_account_of_another_team_is_never_a_full_member(directory, account):
    """T-DEC-05: an id is worth something together with its team only."""
    assert directory.ask(account).standings[account].full_member is False


def test_standings_are_asked_for_at_every_call(directory):
    """Nobody is active because they were a moment ago."""
    directory.ask(ADA)
    directory.change(lambda: directory.workspace.deactivate_user("U0ADA"))

    assert directory.ask(ADA).standings[ADA].active is False


def test_a_groups_list_is_used_again_for_some_seconds(directory):
    """Ten seconds count as fresh; the list is used for eight of them, and asked anew when that is wanted."""
    ages = [0, 8, 9]
    for age in ages:
        directory.ask(groups=[GROUP], at=NOON + timedelta(seconds=age))
    directory.ask(groups=[GROUP], at=NOON + timedelta(seconds=9), anew=True)

    assert _calls(directory, "usergroups.users.list") == 3


def test_a_list_of_the_future_is_not_used(directory):
    """A clock that stepped back does not make a list fresh for longer."""
    directory.ask(groups=[GROUP], at=NOON)
    directory.ask(groups=[GROUP], at=NOON - timedelta(seconds=1))

    assert _calls(directory, "usergroups.users.list") == 2


def test_a_changed_group_is_forgotten(directory):
    """subteam_members_changed drops what was known."""
    before = directory.ask(groups=[GROUP]).groups[GROUP]
    directory.change(lambda: directory.workspace.set_group_members("S0PROD", ["U0CHEN"]))
    directory.directory.forget_group(GROUP)

    after = directory.ask(groups=[GROUP]).groups[GROUP]

    assert (before.accounts, after.accounts) == (frozenset({ADA, BORIS}), frozenset({f"{TEAM}:U0CHEN"}))


def test_an_answer_that_was_under_way_when_the_group_changed_is_not_kept(directory):
    """It may be older than the change, so the next question is asked anew."""
    directory.change(lambda: directory.workspace.faults.delay_seconds.update({"usergroups.users.list": 0.3}))
    asking = Thread(target=lambda: directory.ask(groups=[GROUP]))
    asking.start()
    directory.until(lambda: _calls(directory, "usergroups.users.list") == 1, "the list is being asked for")

    directory.directory.forget_group(GROUP)
    asking.join(60)
    directory.ask(groups=[GROUP])

    assert _calls(directory, "usergroups.users.list") == 2


def test_many_who_ask_at_once_ask_slack_once(directory):
    """Slack allows twenty such questions a minute: sixteen clicks at once share one."""
    together = Barrier(16)
    seen = []

    def ask():
        together.wait(60)
        seen.append(directory.ask(groups=[GROUP]).groups[GROUP].accounts)

    directory.change(lambda: directory.workspace.faults.delay_seconds.update({"usergroups.users.list": 0.3}))
    threads = [Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert seen == [frozenset({ADA, BORIS})] * 16
    assert _calls(directory, "usergroups.users.list") == 1


@pytest.mark.parametrize("how", ["disabled", "unknown", "of another team"])
def test_a_group_that_is_not_there_has_no_members(directory, how):
    """T-DEC-10: that is an answer, and it means nobody, never everybody."""
    group = {"unknown": f"{TEAM}:S0NONE", "of another team": "T0PARTNER:S0PROD"}.get(how, GROUP)
    if how == "disabled":
        directory.change(lambda: directory.workspace.disable_group("S0PROD"))

    assert directory.ask(groups=[group]).groups == {group: Membership(accounts=frozenset(), seen_at=NOON)}


@pytest.mark.parametrize("error", ["internal_error", "ratelimited", "missing_scope"])
def test_what_slack_does_not_answer_is_not_known(directory, error):
    """No answer is neither a yes nor a no: it is left out."""
    directory.change(
        lambda: directory.workspace.faults.errors.update({"users.info": [error], "usergroups.users.list": [error]})
    )

    answer = directory.ask(ADA, groups=[GROUP])

    assert (dict(answer.standings), dict(answer.groups)) == ({}, {})


def test_a_lost_answer_is_not_known(directory):
    """The same where the connection broke after the question."""
    directory.change(lambda: directory.workspace.faults.lost.update({"users.info": 1, "usergroups.users.list": 1}))

    answer = directory.ask(ADA, groups=[GROUP])

    assert (dict(answer.standings), dict(answer.groups)) == ({}, {})


def test_what_was_known_within_the_hour_is_remembered_as_old_as_it_is(directory):
    """A denial may go by it: the last answer, with the instant it was seen; after an hour it is gone."""
    directory.ask(ADA, groups=[GROUP])
    directory.change(lambda: directory.workspace.set_outage(on=True))

    within = directory.ask(ADA, BORIS, groups=[GROUP], at=NOON + HOUR)
    after = directory.ask(ADA, groups=[GROUP], at=NOON + HOUR + timedelta(microseconds=1))

    assert dict(within.standings) == {ADA: MemberStatus(account=ADA, seen_at=NOON)}
    assert within.groups[GROUP].seen_at == NOON
    assert (dict(after.standings), dict(after.groups)) == ({}, {})


def test_a_slow_slack_does_not_hold_a_click_up(make_office):
    """A click must be answered within three seconds: what has not come by then is left out."""
    office = make_office(connect=False, patience_seconds=PATIENCE_SECONDS)
    office.change(lambda: office.workspace.faults.delay_seconds.update({"users.info": 30.0}))

    answer = office.directory.authority(accounts=(ADA, ELI), groups=(), at=NOON)

    assert PATIENCE_SECONDS < 2
    assert dict(answer.standings) == {}


def test_what_is_remembered_is_bounded():
    """I13: the one longest unused goes first."""
    kept: Kept[int] = Kept(2)
    kept.put("a", 1)
    kept.put("b", 2)
    kept.get("a")
    kept.put("c", 3)

    assert [kept.get(key) for key in "abc"] == [1, None, 3]


def test_a_disabled_group_of_the_seed_is_nobody(make_office):
    """A group that was disabled before we ever looked has no members, too."""
    seed = default_seed()
    groups = (UserGroup(id="S0PROD", handle="p", name="P", members=("U0ADA",), disabled=True),)
    office = make_office(connect=False, seed=replace(seed, groups=groups))

    assert office.directory.authority(accounts=(), groups=[GROUP], at=NOON).groups[GROUP].accounts == frozenset()


class HangingSlack:
    """Answers about Ada and the group; about anybody else it says nothing until it is let go."""

    def __init__(self):
        self.hanging = 0
        self.released = Event()

    def users_info(self, *, user):
        """Return an account of a full member."""
        if user != "U0ADA":
            self.hanging += 1
            self.released.wait(60)
        return {"user": {"id": user, "team_id": TEAM, "is_bot": False, "deleted": False}}

    def usergroups_users_list(self, *, usergroup):
        """Return a group of one."""
        return {"users": ["U0ADA"]}


def test_who_denies_is_known_however_many_approvals_are_being_looked_up():
    """I13: the urgent act waits neither for the others' threads nor for a group's list that waits for them."""
    slack: Any = HangingSlack()
    directory = SlackDirectory(slack, team=TEAM)
    crowd = [Account(f"{TEAM}:U0CROWD{number}") for number in range(AT_ONCE)]
    approving = Thread(target=lambda: directory.authority(accounts=[*crowd], groups=(), at=NOON))
    approving.start()
    wait_until(lambda: slack.hanging == AT_ONCE, what="every ordinary thread to hang")
    waiting = Thread(target=lambda: directory.authority(accounts=(), groups=[GROUP], at=NOON))
    waiting.start()
    wait_until(lambda: directory._asking, what="the group to be asked about behind them")

    answer = directory.authority(accounts=[ADA], groups=[GROUP], at=NOON, lane=Urgency.URGENT)
    slack.released.set()
    approving.join(60)
    waiting.join(60)
    directory.close()

    assert dict(answer.standings) == {ADA: MemberStatus(account=ADA, seen_at=NOON)}
    assert dict(answer.groups) == {GROUP: Membership(accounts=frozenset({ADA}), seen_at=NOON)}
