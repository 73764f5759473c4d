"""An organisation (Enterprise Grid): its members sign as it or as a sister workspace, and count where ours lists them."""

from dataclasses import replace

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from approvals.identity.names import Account
from approvals.identity.people import MemberStatus
from approvals.workflow.request import State
from bot.slack.inbound.listeners import ELSEWHERE
from sandbox.workspace import default_seed
from tests.builders import ADA, BORIS, NOON, TEAM

ORGANISATION = "E0HARBOUR"
SISTER = "T0SISTER"
OUTSIDE = "Guests and people from other workspaces cannot answer."

TEAMS = {
    "U0ADA": (ORGANISATION, (TEAM, SISTER)),
    "U0BORIS": (SISTER, (SISTER, TEAM)),
    "U0DINA": (SISTER, (SISTER,)),
}


@pytest.fixture
def seed():
    """Ada signs as the organisation, Boris as the sister workspace, both listed in ours; Dina is in the sister workspace only."""
    usual = default_seed()
    users = tuple(
        replace(user, team_id=TEAMS[user.id][0], teams=TEAMS[user.id][1]) if user.id in TEAMS else user
        for user in usual.users
    )
    return replace(usual, users=users, enterprise_id=ORGANISATION, enterprise_name="Harbour Group")


@pytest.fixture(params=["socket", "http"])
def grid(make_office, seed, request):
    """An office in an organisation, either way, with a request that waits."""
    office = make_office(seed=seed, over_http=request.param == "http")
    office.request = office.world.pending()
    office.step()
    return office


@pytest.mark.parametrize(
    ("user", "account", "answer", "state"),
    [
        ("U0ADA", ADA, "approve:v1", State.APPROVED),
        ("U0BORIS", BORIS, "approve:v1", State.APPROVED),
        ("U0ADA", ADA, "deny:v1", State.DENIED),
        ("U0BORIS", BORIS, "deny:v1", State.DENIED),
    ],
)
def test_a_member_counts_as_of_our_workspace(grid, user, account, answer, state):
    """Whichever team a click names: who is listed in ours is the account that the policy knows."""
    grid.click(user, answer)

    after = grid.world.request(grid.request)
    assert (after.state, after.decided_by) == (state, (account,))


def test_a_member_denies_by_the_form_and_pauses(grid):
    """The form and the command are doors to the same verbs."""
    grid.click("U0ADA", "deny-reason:v1")
    grid.loop.do(grid.workspace.wait_for_view("U0ADA"))
    grid.loop.do(grid.workspace.submit_view("U0ADA", {"reason": {"text": "No"}}))
    paused = grid.command("U0BORIS", "on")

    assert grid.world.request(grid.request).decided_by == (ADA,)
    assert paused.startswith("*Paused: everything.*")
    with grid.store.reading() as reading:
        assert [pause.by for pause in reading.pauses()] == [BORIS]


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_a_member_of_the_sister_workspace_alone_is_refused_for_what_is_so(grid, answer):
    """Being of the same organisation is not being of our workspace; the refusal names the account as it signed."""
    grid.click("U0DINA", f"{answer}:v1")

    assert grid.note("U0DINA") == OUTSIDE
    assert grid.refusals(grid.request) == [(f"{SISTER}:U0DINA", {"answer": answer, "via": "slack", "code": "guest"})]
    assert grid.world.request(grid.request).state is State.PENDING


def test_a_stranger_of_whom_slack_knows_nothing_is_not_called_deactivated(grid):
    """What Slack does not know here is said to be that."""
    grid.click("U0DINA", "deny:v1")
    grid.note("U0DINA")
    grid.change(lambda: grid.workspace.faults.errors.update({"users.info": ["user_not_found"] * 2}))

    grid.click("U0DINA", "deny:v1")

    assert grid.note("U0DINA") == "Slack knows no such account in this workspace, so it cannot answer."


@pytest.mark.parametrize(
    ("user", "text", "said"),
    [
        ("U0BORIS", "on", "*Paused: everything.*"),
        ("U0DINA", "on", f"Nothing was paused. {OUTSIDE}"),
        ("U0DINA", "status", ELSEWHERE),
        ("U0BORIS", "status", "Nothing is paused."),
    ],
)
def test_a_command_from_a_sister_workspace_is_its_members(make_office, seed, user, text, said):
    """A command names the workspace that it was typed in; whoever is listed in ours is heard."""
    office = make_office(seed=seed)
    body = {
        "command": "/agent-pause", "text": text, "team_id": SISTER, "enterprise_id": ORGANISATION, "user_id": user,
        "channel_id": "C0PROD",
    }  # fmt: skip

    answer = office.loop.do(office.app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode")))

    assert said in answer.body


def test_a_member_once_listed_can_deny_while_slack_is_down(make_office, seed):
    """What Slack said within the hour counts for a denial, and so does by which account somebody signs."""
    office = make_office(seed=seed)
    request = office.world.pending()
    office.step()
    office.directory.account_here(f"{SISTER}:U0BORIS")
    office.directory.authority(accounts=[BORIS], groups=(), at=NOON)
    office.change(lambda: office.workspace.faults.errors.update({"users.info": ["internal_error"] * 9}))

    office.click("U0BORIS", "deny:v1")

    assert office.world.request(request).decided_by == (BORIS,)


def test_the_directory_says_by_which_account_somebody_counts(make_office, seed):
    """Of nobody who is not listed, and of nobody whom Slack cannot be asked about, anything is made up."""
    office = make_office(seed=seed, connect=False)
    here = office.directory.account_here
    asked = [f"{ORGANISATION}:U0ADA", f"{SISTER}:U0DINA", "T0PARTNER:U0FAY", "T0PARTNER:U0NOBODY", ADA]

    found = [here(account) for account in asked]
    office.change(lambda: office.workspace.faults.errors.update({"users.info": ["internal_error"]}))
    unknown = here(f"{SISTER}:U0BORIS")
    office.change(lambda: office.workspace.faults.lost.update({"users.info": 1}))
    lost = here(f"{SISTER}:U0BORIS")
    standing = office.directory.authority(accounts=[ADA, f"{ORGANISATION}:U0ADA"], groups=(), at=NOON).standings

    assert found == [ADA, *asked[1:]]
    assert (unknown, lost) == (f"{SISTER}:U0BORIS", f"{SISTER}:U0BORIS")
    assert dict(standing) == {
        ADA: MemberStatus(account=ADA, seen_at=NOON),
        f"{ORGANISATION}:U0ADA": MemberStatus(
            account=Account(f"{ORGANISATION}:U0ADA"), seen_at=NOON, full_member=False
        ),
    }
