"""Checks at the start: each fault of the installation is named, in words that say what to do."""

from dataclasses import replace
from typing import Any

import pytest

from bot.local.workspace import Channel, default_seed
from bot.slack.checks import check_slack
from bot.slack.clients import client
from bot.slack.pin import Installed
from tests.builders import GROUP, a_policy, an_approver_set, an_environment

POLICY = a_policy(approver_sets={"platform": an_approver_set(groups=(GROUP,))})


def _alone(**changed):
    """Return the default company with an approval channel that no outsider is in."""
    seed = default_seed()
    channels = tuple(replace(one, members=("U0ADA",)) if one.id == "C0PROD" else one for one in seed.channels)
    return replace(seed, channels=channels, **changed)


def _check(office, *, policy=POLICY, token=None, app_token=None, url=None):
    workspace = office.workspace
    web = client(token or workspace.bot_token, url or workspace.api_url, timeout_seconds=2)
    return check_slack(web, policy, app_token=workspace.app_token if app_token is None else app_token)


def test_a_good_installation_has_no_findings(make_office):
    """Everything is as it should be: we know who we are, and nothing is said."""
    office = make_office(connect=False, seed=_alone())

    checked = _check(office)

    assert checked.installed == Installed(team="T0COUNTERSIGN", bot_id="B0COUNTERSIGN", bot_user="U0COUNTERSIGN")
    assert checked.findings == ()
    assert checked.may_serve


def test_a_channel_shared_with_another_company_is_pointed_out(make_office):
    """Outsiders read every card there: said, and no reason not to start, since none of them can answer."""
    checked = _check(make_office(connect=False))

    assert [(one.grave, one.sentence) for one in checked.findings] == [
        (
            False,
            "#prod-eu-1-approvals is shared with another company: its people cannot answer, but they read every card there.",
        )
    ]
    assert checked.may_serve


GRAVE: dict[str, tuple[dict[str, Any], str]] = {
    "the bot is not in its channel": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), bot_is_member=False),)},
        "The bot is not in #approvals. Invite it: type /invite @Countersign in the channel.",
    ),
    "a private channel that it cannot see": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), private=True, bot_is_member=False),)},
        "The channel C0PROD cannot be seen (channel_not_found). Invite the bot: type /invite @Countersign in it.",
    ),
    "no such channel": (
        {"channels": ()},
        "The channel C0PROD cannot be seen (channel_not_found). Invite the bot: type /invite @Countersign in it.",
    ),
    "an archived channel": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), archived=True),)},
        "The channel #approvals is archived. Name another one in the policy.",
    ),
    "a missing scope": (
        {"bot_scopes": ("chat:write", "commands", "usergroups:read", "channels:read", "groups:read")},
        "The app lacks the scopes users:read. Update it from manifest.yml and install it again.",
    ),
    "an app token without its scope": (
        {"app_scopes": ()},
        "SLACK_APP_TOKEN is of the wrong kind or lacks a scope (missing_scope). Install the app with manifest.yml.",
    ),
}


@pytest.mark.parametrize("name", GRAVE)
def test_a_fault_of_the_installation_is_named(make_office, name):
    """Whatever would make serving useless is found before it begins, with the way to mend it."""
    changed, sentence = GRAVE[name]
    seed = replace(_alone(), **changed)

    checked = _check(make_office(connect=False, seed=seed))

    assert sentence in [one.sentence for one in checked.findings if one.grave]
    assert not checked.may_serve


def test_a_token_of_the_wrong_kind_is_named(make_office):
    """A token that Slack does not take is found by asking, and said without being shown."""
    office = make_office(connect=False, seed=_alone())

    wrong = _check(office, token="xoxb-not-a-token")
    swapped = _check(office, app_token=office.workspace.bot_token)

    assert wrong.installed is None
    assert [one.sentence for one in wrong.findings] == [
        "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth). Copy it anew from the app's settings."
    ]
    assert [one.sentence for one in swapped.findings if one.grave]
    assert office.workspace.bot_token not in str(swapped.findings)


def test_a_persons_token_is_named(make_office, monkeypatch):
    """A user token has no bot behind it: cards would come from a person."""
    office = make_office(connect=False, seed=replace(_alone(), bot_id=""))

    checked = _check(office)

    assert [one.sentence for one in checked.findings] == [
        "SLACK_BOT_TOKEN is a person's token. Use the Bot User OAuth Token of the app, which starts with xoxb-."
    ]
    assert not checked.may_serve


def test_an_unreachable_slack_is_named(make_office):
    """Nobody at the address: said with what to look at."""
    office = make_office(connect=False)

    checked = _check(office, url="http://127.0.0.1:9/api/")

    assert checked.installed is None
    assert "Slack cannot be reached" in checked.findings[0].sentence


def test_a_policy_for_another_workspace_is_named(make_office):
    """The policy's team and the token's must be the same."""
    policy = a_policy(
        environments={"prod-eu-1": an_environment(channel="T0OTHER:C0PROD")}, teams=frozenset({"T0OTHER"})
    )

    checked = _check(make_office(connect=False, seed=_alone()), policy=policy)

    assert "The policy names the workspace T0OTHER, but the bot's token belongs to T0COUNTERSIGN." in [
        one.sentence for one in checked.findings if one.grave
    ]


@pytest.mark.parametrize("how", ["empty", "disabled"])
def test_a_group_in_which_nobody_can_answer_is_pointed_out(make_office, how):
    """An approver group without members is worth a warning, not a refusal to start."""
    office = make_office(connect=False, seed=_alone())
    if how == "empty":
        office.change(lambda: office.workspace.set_group_members("S0PROD", []))
    else:
        office.change(lambda: office.workspace.disable_group("S0PROD"))

    checked = _check(office)

    assert ["S0PROD" in one.sentence for one in checked.findings] == [True]
    assert checked.may_serve


def test_in_http_mode_no_app_token_is_asked_for(make_office):
    """Without Socket Mode there is no second token to check."""
    office = make_office(connect=False, seed=_alone())
    web = client(office.workspace.bot_token, office.workspace.api_url, timeout_seconds=2)

    checked = check_slack(web, POLICY, app_token=None)

    methods = [call.method for call in office.change(lambda: office.workspace.calls)]
    assert "apps.connections.open" not in methods
    assert checked.may_serve


@pytest.mark.parametrize(
    ("method", "error", "sentence"),
    [
        ("auth.test", "fatal_error", "Slack refuses to say whether SLACK_BOT_TOKEN is good (fatal_error)."),
        ("conversations.info", "internal_error", "The channel C0PROD cannot be seen (internal_error)."),
        ("usergroups.users.list", "internal_error", "The user group S0PROD has no members that Slack tells of"),
    ],
)
def test_a_question_that_slack_does_not_answer_is_a_finding(make_office, method, error, sentence):
    """What could not be looked at is said, never taken for good."""
    office = make_office(connect=False, seed=_alone())
    office.change(lambda: office.workspace.faults.errors.update({method: [error]}))

    found = [one.sentence for one in _check(office).findings]

    assert [one.startswith(sentence) for one in found] == [True]


@pytest.mark.parametrize("method", ["conversations.info", "usergroups.users.list"])
def test_a_lost_answer_is_a_finding(make_office, method):
    """The same where the connection broke."""
    office = make_office(connect=False, seed=_alone())
    office.change(lambda: office.workspace.faults.lost.update({method: 1}))

    found = [one.sentence for one in _check(office).findings]

    assert [one.startswith("Slack cannot be asked about the") for one in found] == [True]
