"""The Web API through Slack's own client: who may call what, and what is answered."""

from dataclasses import replace

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from sandbox.workspace import Channel, Seed, Strictness, User, default_seed
from sandbox.workspace.seed import BOT_SCOPES
from tests.sandbox.workspace.support import ADA, CHANNEL, call, call_fully, client_of, running, story


@story
async def test_auth_test_says_whom_the_token_stands_for():
    """The app learns its team, user and bot ids, and the scopes it was granted, from auth.test."""
    async with running() as workspace:
        answer = await client_of(workspace).auth_test()

        assert answer.data == {
            "ok": True,
            "url": workspace.api_url.removesuffix("api/"),
            "team": "Harbour",
            "user": "countersign",
            "team_id": "T0COUNTERSIGN",
            "user_id": "U0COUNTERSIGN",
            "bot_id": "B0COUNTERSIGN",
            "is_enterprise_install": False,
        }
        assert answer.headers["x-oauth-scopes"] == ",".join(BOT_SCOPES)


@pytest.mark.parametrize("method", ["conversations.history", "chat.delete", "nothing.at.all", "blocks.validate"])
@story
async def test_a_method_that_is_not_offered_does_not_exist(method):
    """Only the methods of the list exist; everything else is unknown, never quietly fine."""
    async with running() as workspace:
        assert await call(workspace, method) == {"ok": False, "error": "unknown_method", "req_method": method}


@story
async def test_a_call_needs_the_right_kind_of_token():
    """No token, a wrong one, and the other kind are three different refusals."""
    async with running() as workspace:
        async with aiohttp.ClientSession() as session, session.post(workspace.api_url + "auth.test") as response:
            assert await response.json() == {"ok": False, "error": "not_authed"}
        wrong = await call(workspace, "auth.test", token="xoxb-somebody-else")
        app_for_bot = await call(workspace, "auth.test", token=workspace.app_token)
        bot_for_app = await call(workspace, "apps.connections.open")

        assert [wrong["error"], app_for_bot["error"], bot_for_app["error"]] == [
            "invalid_auth",
            "not_allowed_token_type",
            "not_allowed_token_type",
        ]


@pytest.mark.parametrize(
    ("scope", "method", "arguments"),
    [
        ("chat:write", "chat.postMessage", {"channel": CHANNEL, "text": "hi"}),
        ("chat:write", "chat.update", {"channel": CHANNEL, "ts": "1.0", "text": "hi"}),
        ("chat:write", "chat.postEphemeral", {"channel": CHANNEL, "user": ADA, "text": "hi"}),
        ("users:read", "users.info", {"user": ADA}),
        ("usergroups:read", "usergroups.users.list", {"usergroup": "S0PROD"}),
        ("channels:read", "conversations.info", {"channel": CHANNEL}),
    ],
)
@story
async def test_a_method_needs_its_scope(scope, method, arguments):
    """Without its scope a method names what is missing and what was granted; the switch lets it through."""
    seed = _seed_with(bot_scopes=tuple(each for each in BOT_SCOPES if each != scope))

    async with running(seed=seed) as workspace:
        refused = await call(workspace, method, **arguments)
    async with running(seed=seed, strictness=Strictness(scopes=False)) as workspace:
        lenient = await call(workspace, method, **arguments)

    assert refused == {
        "ok": False,
        "error": "missing_scope",
        "needed": scope,
        "provided": ",".join(seed.bot_scopes),
    }
    assert lenient.get("error") != "missing_scope"


@story
async def test_the_app_token_needs_connections_write():
    """Socket Mode needs its own scope on the app token."""
    async with running(seed=_seed_with(app_scopes=())) as workspace:
        answer = await call(workspace, "apps.connections.open", token=workspace.app_token)

    assert answer == {"ok": False, "error": "missing_scope", "needed": "connections:write", "provided": ""}


@pytest.mark.parametrize(
    ("user", "flags"),
    [
        ("U0ADA", set()),
        ("U0ELI", {"is_restricted"}),
        ("U0FAY", {"is_stranger"}),
        ("U0GUS", {"deleted"}),
        ("U0SHIPBOT", {"is_bot"}),
    ],
)
@story
async def test_users_info_tells_people_apart(user, flags):
    """Every flag an approval must look at is there, and true for exactly whom it should be."""
    names = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    async with running() as workspace:
        found = (await client_of(workspace).users_info(user=user))["user"]

        assert {name for name in names if found[name] is True} == flags
        assert {name for name in names if found[name] is False} == set(names) - flags
        assert found["team_id"] == ("T0PARTNER" if user == "U0FAY" else "T0COUNTERSIGN")
        assert {"id", "name", "real_name", "tz", "profile"} <= found.keys()


@story
async def test_users_info_says_which_workspaces_of_an_organisation_list_somebody():
    """In an organisation an account's own team may be the organisation or a sister workspace; its workspaces are listed apart."""
    usual = default_seed()
    ada = replace(usual.users[0], team_id="E0HARBOUR", teams=("T0COUNTERSIGN", "T0SISTER"))
    seed = replace(usual, users=(ada, *usual.users[1:]), enterprise_id="E0HARBOUR", enterprise_name="Harbour Group")
    async with running(seed=seed) as workspace:
        found = [(await client_of(workspace).users_info(user=user))["user"] for user in (ADA, "U0BORIS")]

    assert (found[0]["team_id"], found[0]["enterprise_user"]) == (
        "E0HARBOUR",
        {
            "id": ADA,
            "enterprise_id": "E0HARBOUR",
            "enterprise_name": "Harbour Group",
            "is_admin": False,
            "is_owner": False,
            "teams": ["T0COUNTERSIGN", "T0SISTER"],
        },
    )
    assert "enterprise_user" not in found[1]


@story
async def test_a_deactivated_user_is_reported_at_once():
    """What users.info says follows the account, without a delay that a check could slip through."""
    async with running() as workspace:
        workspace.deactivate_user(ADA)

        assert (await client_of(workspace).users_info(user=ADA))["user"]["deleted"] is True


@story
async def test_unknown_users_and_groups_are_errors():
    """Slack answers an error, not an empty list, for what does not exist."""
    async with running() as workspace:
        user = await call(workspace, "users.info", user="U0NOBODY")
        group = await call(workspace, "usergroups.users.list", usergroup="S0NOBODY")

        assert (user["error"], group["error"]) == ("user_not_found", "no_such_subteam")


@story
async def test_a_disabled_group_has_nobody_unless_asked_for():
    """A disabled group is an error, which must not become "everybody"; include_disabled still shows it."""
    async with running() as workspace:
        client = client_of(workspace)
        assert (await client.usergroups_users_list(usergroup="S0PROD"))["users"] == ["U0ADA", "U0BORIS"]
        workspace.disable_group("S0PROD")

        refused = await call(workspace, "usergroups.users.list", usergroup="S0PROD")
        shown = await client.usergroups_users_list(usergroup="S0PROD", include_disabled=True)

        assert refused["error"] == "no_such_subteam"
        assert shown["users"] == ["U0ADA", "U0BORIS"]


@story
async def test_conversations_info_tells_who_else_is_there():
    """A channel is shared outside as soon as, and only while, another company's person is in it."""
    async with running() as workspace:
        client = client_of(workspace)
        before = (await client.conversations_info(channel=CHANNEL))["channel"]
        workspace.set_channel_members(CHANNEL, ["U0ADA"])
        after = (await client.conversations_info(channel=CHANNEL, include_num_members=True))["channel"]

        assert (before["is_ext_shared"], before["is_member"], before["name"]) == (True, True, "prod-eu-1-approvals")
        assert (after["is_ext_shared"], after["num_members"]) == (False, 2)


@story
async def test_the_app_must_have_been_invited():
    """A public channel says so; a private one does not exist for an app that is not in it; the switch forgives."""
    seed = _seed_with(
        channels=(
            Channel(id="C0OPEN", name="open", members=(ADA,), bot_is_member=False),
            Channel(id="C0SECRET", name="secret", members=(ADA,), private=True, bot_is_member=False),
            Channel(id="C0OLD", name="old", members=(ADA,), archived=True),
        )
    )
    async with running(seed=seed) as workspace:
        errors = [
            (await call(workspace, "chat.postMessage", channel=channel, text="hi"))["error"]
            for channel in ("C0OPEN", "C0SECRET", "C0OLD", "C0NOWHERE", "#open")
        ]
        private = await call(workspace, "conversations.info", channel="C0SECRET")
        workspace.invite_bot("C0OPEN")
        invited = await call(workspace, "chat.postMessage", channel="C0OPEN", text="hi")
    async with running(seed=seed, strictness=Strictness(membership=False)) as workspace:
        lenient = await call(workspace, "chat.postMessage", channel="C0OPEN", text="hi")

    assert errors == ["not_in_channel", "channel_not_found", "is_archived", "channel_not_found", "channel_not_found"]
    assert (private["error"], invited["ok"], lenient["ok"]) == ("channel_not_found", True, True)


@story
async def test_arguments_that_no_method_has_are_refused():
    """A misspelt argument is named; with the switch off it is ignored, as Slack ignores it."""
    async with running() as workspace:
        strict = await call(workspace, "users.info", user=ADA, usr="typo")
        missing = await call(workspace, "users.info")
    async with running(strictness=Strictness(known_arguments_only=False)) as workspace:
        lenient = await call(workspace, "users.info", user=ADA, usr="typo")

    assert strict["error"] == missing["error"] == "invalid_arguments"
    assert strict["response_metadata"] == {"messages": ["[ERROR] no such argument: usr"]}
    assert missing["response_metadata"] == {"messages": ["[ERROR] missing required field: user"]}
    assert lenient["ok"] is True


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"{", "application/json", "invalid_json"),
        (b"[]", "application/json", "json_not_object"),
        (b"\xff", "application/json", "invalid_json"),
        (b"[" * 100_000, "application/json", "invalid_json"),
        (b"channel=%FF", "application/x-www-form-urlencoded; charset=nonsense", "channel_not_found"),
        (b"--x", "multipart/form-data", "invalid_post_type"),
        (b"<a/>", "application/xml", "invalid_post_type"),
        (b"channel=C0PROD&blocks=%5B", "application/x-www-form-urlencoded", "invalid_blocks_format"),
        (b"channel=C0PROD&blocks=%7B%7D", "application/x-www-form-urlencoded", "invalid_blocks_format"),
    ],
    ids=[
        "half",
        "a list",
        "no UTF-8",
        "too deep",
        "a form of nonsense",
        "multipart",
        "XML",
        "half blocks",
        "one block",
    ],
)
@story
async def test_bodies_that_are_not_what_they_say(body, content_type, error):
    """A body that cannot be read is refused in Slack's words."""
    async with running() as workspace:
        headers = {"Authorization": f"Bearer {workspace.bot_token}", "Content-Type": content_type}
        async with (
            aiohttp.ClientSession() as session,
            session.post(workspace.api_url + "chat.postMessage", data=body, headers=headers) as response,
        ):
            assert (await response.json())["error"] == error


@story
async def test_form_and_json_mean_the_same():
    """A form with JSON in its fields posts what a JSON body posts."""
    async with running() as workspace:
        blocks = '[{"type": "divider", "block_id": "line"}]'
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                workspace.api_url + "chat.postMessage",
                data={"token": workspace.bot_token, "channel": CHANNEL, "text": "hi", "blocks": blocks},
            ) as response,
        ):
            answer = await response.json()

        assert answer["message"]["blocks"] == [{"type": "divider", "block_id": "line"}]


@story
async def test_a_method_that_is_called_too_often_is_turned_away():
    """Above its tier a method answers 429 with Retry-After, and others still work."""
    async with running(strictness=Strictness(method_rates={"users.info": 2})) as workspace:
        answers = [await call_fully(workspace, "users.info", user=ADA) for _ in range(3)]
        other = await call(workspace, "auth.test")

    assert [status for _, status, _ in answers] == [200, 200, 429]
    assert answers[2][0] == {"ok": False, "error": "ratelimited"}
    assert int(answers[2][2]["Retry-After"]) == 30
    assert other["ok"] is True


@story
async def test_the_client_raises_what_slack_would_make_it_raise():
    """Slack's client turns the stand-in's refusals into its own exceptions."""
    async with running() as workspace:
        with pytest.raises(SlackApiError) as raised:
            await client_of(workspace).chat_postMessage(channel="C0NOWHERE", text="hi")

        assert raised.value.response["error"] == "channel_not_found"


@story
async def test_every_call_is_kept_for_the_tests_to_read():
    """Method, arguments and answer of each call can be read afterwards; the token is not among them."""
    async with running() as workspace:
        await client_of(workspace).users_info(user=ADA)

        kept = workspace.calls[-1]
        assert (kept.method, kept.arguments, kept.answer["ok"]) == ("users.info", {"user": ADA}, True)


def test_a_seed_that_contradicts_itself_is_refused():
    """Ids used twice and members nobody knows fail where the seed is written."""
    with pytest.raises(ValueError, match="user id U1 is used twice"):
        _seed_with(users=(User(id="U1", name="a", real_name="A"),) * 2, channels=(), groups=())
    with pytest.raises(ValueError, match="C1 names unknown users: U9"):
        _seed_with(channels=(Channel(id="C1", name="c", members=("U9",)),))


def _seed_with(**changes) -> Seed:
    base = default_seed()
    fields = {name: getattr(base, name) for name in Seed.__slots__}
    return Seed(**{**fields, **changes})
