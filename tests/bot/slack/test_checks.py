"""Checks at the start: each fault of the installation is named, in words that say what to do."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.errors import Unavailable
from bot.slack.workspace.checks import check_app, check_channel, check_group
from bot.slack.workspace.clients import client
from bot.slack.workspace.errors import Why
from bot.slack.workspace.pin import Installed
from sandbox.workspace import Channel, default_seed
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
    app = check_app(web, policy, app_token=workspace.app_token if app_token is None else app_token)
    if app.installed is None or app.away is not None:
        return app
    channels = sorted({one.channel for one in policy.environments.values()})
    groups = sorted({group for one in policy.approver_sets.values() for group in one.groups})
    found = [*(one for each in channels for one in check_channel(web, each))]
    found += [one for each in groups for one in check_group(web, each)]
    return replace(app, findings=(*app.findings, *found))


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


_NOT_SEEN = (
    "The channel C0PROD cannot be seen (channel_not_found). There is no such channel, or the bot is not in it. Invite the"
    " bot: type /invite @Countersign in it, or name another channel in the policy."
)
_NO_SOCKET = (
    "SLACK_APP_TOKEN: The app lacks the scope connections:write (missing_scope). Update it from manifest.yml and install it"
    " again."
)
GRAVE: dict[str, tuple[dict[str, Any], str]] = {
    "the bot is not in its channel": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), bot_is_member=False),)},
        "The bot is not in #approvals. Invite it: type /invite @Countersign in the channel.",
    ),
    "a private channel that it cannot see": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), private=True, bot_is_member=False),)},
        _NOT_SEEN,
    ),
    "no such channel": (
        {"channels": ()},
        _NOT_SEEN,
    ),
    "an archived channel": (
        {"channels": (Channel(id="C0PROD", name="approvals", members=("U0ADA",), archived=True),)},
        "The channel #approvals is archived. Unarchive it, or name another one in the policy.",
    ),
    "a missing scope": (
        {"bot_scopes": ("chat:write", "commands", "usergroups:read", "channels:read", "groups:read")},
        "The app lacks the scopes users:read. Update it from manifest.yml and install it again.",
    ),
    "an app token without its scope": (
        {"app_scopes": ()},
        _NO_SOCKET,
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
        "SLACK_BOT_TOKEN: Slack does not know this token (invalid_auth). Copy it anew from the app's settings."
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


def test_an_unreachable_slack_is_asked_again(make_office):
    """Nobody at the address: no reason not to serve, and said with its cause."""
    office = make_office(connect=False)

    checked = _check(office, url="http://127.0.0.1:9/api/")

    assert (checked.installed, checked.findings, checked.may_serve) == (None, (), True)
    assert checked.away == Why(
        code="refused",
        sentence="Slack cannot be reached: nothing listens there (connection refused). Check SLACK_API_URL and the way out to the"
        " internet.",
        may_pass=True,
    )


@pytest.mark.parametrize("error", ["fatal_error", "service_unavailable", "org_login_required", "a_code_of_next_year"])
def test_a_refusal_that_may_pass_is_asked_again(make_office, error):
    """Only what somebody has to put right keeps it from serving; a code that nobody has seen yet is asked again."""
    office = make_office(connect=False, seed=_alone())
    office.change(lambda: office.workspace.faults.errors.update({"auth.test": [error]}))

    checked = _check(office)

    assert (checked.installed, checked.may_serve) == (None, True)
    assert checked.away == Why(code=error, sentence=f"Slack refuses for the time being ({error}).", may_pass=True)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_auth", "SLACK_BOT_TOKEN: Slack does not know this token (invalid_auth)."),
        ("token_revoked", "SLACK_BOT_TOKEN: The token was revoked (token_revoked)."),
        (
            "account_inactive",
            "SLACK_BOT_TOKEN: The app was uninstalled, or its bot user deactivated (account_inactive).",
        ),
        ("missing_scope", "SLACK_BOT_TOKEN: The app lacks the scope (missing_scope)."),
        ("not_allowed_token_type", "SLACK_BOT_TOKEN: The token is of the wrong kind (not_allowed_token_type)."),
    ],
)
def test_each_refusal_of_a_token_has_its_own_sentence(make_office, error, words):
    """What is wrong with a token decides what there is to do about it."""
    office = make_office(connect=False, seed=_alone())
    office.change(lambda: office.workspace.faults.errors.update({"auth.test": [error]}))

    checked = _check(office)

    (finding,) = checked.findings
    assert (finding.grave, finding.code, checked.may_serve) == (True, error, False)
    assert finding.sentence.startswith(words)


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

    checked = check_app(web, POLICY, app_token=None)

    methods = [call.method for call in office.change(lambda: office.workspace.calls)]
    assert "apps.connections.open" not in methods
    assert checked.may_serve


@pytest.mark.parametrize("fault", ["lost", "internal_error"])
def test_a_channel_that_cannot_be_asked_about_is_asked_again(make_office, fault):
    """What could not be looked at is neither good nor bad."""
    office = make_office(connect=False, seed=_alone())
    method = "conversations.info"
    if fault == "lost":
        office.change(lambda: office.workspace.faults.lost.update({method: 1}))
    else:
        office.change(lambda: office.workspace.faults.errors.update({method: [fault]}))

    with pytest.raises(Unavailable, match=r"^Slack cannot be asked about the channel C0PROD: "):
        _check(office)


@pytest.mark.parametrize("fault", ["lost", "internal_error"])
def test_a_group_that_cannot_be_asked_about_is_a_note(make_office, fault):
    """It is said, and keeps nobody from starting: who may answer is asked at each click."""
    office = make_office(connect=False, seed=_alone())
    method = "usergroups.users.list"
    if fault == "lost":
        office.change(lambda: office.workspace.faults.lost.update({method: 1}))
    else:
        office.change(lambda: office.workspace.faults.errors.update({method: [fault]}))

    (finding,) = _check(office).findings

    assert finding.sentence.startswith("Slack does not tell who is in the user group S0PROD: nobody in it can answer (")
    assert not finding.grave
