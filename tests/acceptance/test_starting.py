"""What ``serve`` refuses to start with, and what takes out one environment only: each fault is named, with what to do.

What is wrong with the whole of it (a schema, a token, a scope) ends it with exit code 1. What is wrong with an environment lets
nothing start there, and ``countersign status`` says why.
"""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from sandbox.workspace import Seed, default_seed
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place
from tests.acceptance.town import Town, a_town


@pytest.fixture(scope="module")
def settings(ground: Ground, town: Town) -> dict[str, str]:
    """Settings with which everything is right."""
    return {**ground.settings, **town.settings}


def refused(place: Place, **changed: str) -> list[str]:
    """Return what ``serve`` says when it does not start, logs and mere notes left out."""
    said = place.run("serve", **changed)
    assert said.code == 1, said
    assert said.out == ""
    return [line for line in said.err.splitlines() if line.startswith(("refused: ", "countersign: "))]


def taken_out(place: Place, leg: str, code: str) -> str:
    """Serve until *leg* of the environment has *code*, see that nothing may start there, and return what status says of it."""

    def lines() -> list[str]:
        return [" ".join(line.split()) for line in place.run("status").out.splitlines()]

    with place.serving():
        place.wait_for_leg(leg, "demo", "failing", code, within_s=40.0)
        place.wait_for_leg("environment", "demo", "failing", code, within_s=10.0)
        said = lines()
    assert any(line.startswith(f"environment demo failing ({code})") for line in said), said
    return next((line for line in said if line.startswith(f"{leg} demo failing ({code})")), "")


def test_a_good_place_serves_and_stops_in_good_order(new_place: NewPlace, settings: dict[str, str]):
    """With everything right it serves, and SIGTERM ends it with exit code 0."""
    place = new_place(settings)

    with place.serving() as service:
        service.process.send_signal(signal.SIGTERM)
        code = service.process.wait(30)

    assert code == 0


def test_one_database_has_one_service(new_place: NewPlace, settings: dict[str, str]):
    """A second service over the same SQLite file is refused, and the first one goes on."""
    place = new_place(settings)

    with place.serving() as service:
        said = refused(place)
        assert service.process.poll() is None

    assert len(said) == 1
    assert "serve" in said[0], said
    assert "already" in said[0], said


def test_a_database_that_is_not_migrated_is_named(new_place: NewPlace, settings: dict[str, str]):
    """No database, and an empty one, are refused with the command to run, which makes them good."""
    place = new_place(settings)
    place.database.unlink()

    there_is_none = f"There is no database at {place.database}. If it is to be there, run: countersign db upgrade"
    assert refused(place) == [f"countersign: {there_is_none} [no_database]"]
    place.database.touch()
    assert refused(place) == [
        "countersign: The database is not at this version's schema. Run: countersign db upgrade [schema]"
    ]
    assert place.run("db", "upgrade").code == 0
    with place.serving():
        pass


def test_a_database_that_is_not_what_it_says_is_named(new_place: NewPlace, settings: dict[str, str]):
    """A database at the right revision that lacks a column is refused, and not with a command that would change nothing."""
    place = new_place(settings)
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute("ALTER TABLE policy_versions RENAME COLUMN text TO words")

    (said,) = refused(place)
    assert said == (
        "countersign: The database is marked as being at this version's schema, but its table policy_versions is not: a"
        " version before the first release made it. Begin with an empty database, and run: countersign db upgrade [schema]"
    )


@pytest.fixture
def bare_town(request: pytest.FixtureRequest) -> Iterator[Town]:
    """A workspace made from the seed that the test names."""
    with a_town(request.param) as made:
        yield made


def _seed(**changed: object) -> Seed:
    return replace(default_seed(), **changed)  # type: ignore[arg-type]


_NO_SOCKET = (
    "refused: SLACK_APP_TOKEN: The app lacks the scope connections:write (missing_scope). Update it from manifest.yml and"
    " install it again."
)


def _uninvited() -> Seed:
    channels = [replace(channel, bot_is_member=False) for channel in default_seed().channels]
    return _seed(channels=tuple(channels))


@pytest.mark.parametrize(
    ("bare_town", "sentence"),
    [
        (
            _seed(bot_scopes=("chat:write", "commands", "usergroups:read", "channels:read", "groups:read")),
            "refused: The app lacks the scopes users:read. Update it from manifest.yml and install it again.",
        ),
        (
            _seed(app_scopes=()),
            _NO_SOCKET,
        ),
    ],
    indirect=["bare_town"],
    ids=["a scope is missing", "the app token may not connect"],
)
def test_what_slack_does_not_grant_is_named(new_place: NewPlace, ground: Ground, bare_town: Town, sentence: str):
    """A missing scope and an app token without its right keep it from starting."""
    place = new_place({**ground.settings, **bare_town.settings})

    assert refused(place) == [sentence]


@pytest.mark.parametrize(
    ("name", "token", "sentence"),
    [
        (
            "SLACK_BOT_TOKEN",
            "xoxp-a-persons-own-token",
            "countersign: SLACK_BOT_TOKEN is of the wrong kind: it should start with xoxb-. [malformed]",
        ),
        (
            "SLACK_APP_TOKEN",
            "xoxb-the-bots-in-its-place",
            "countersign: SLACK_APP_TOKEN is of the wrong kind: it should start with xapp-. [malformed]",
        ),
        (
            "SLACK_BOT_TOKEN",
            "xoxb-nobody-knows-this-one",
            "refused: SLACK_BOT_TOKEN: Slack does not know this token (invalid_auth). Copy it anew from the app's settings.",
        ),
    ],
    ids=["a person's", "swapped", "unknown"],
)
def test_a_wrong_token_is_named(new_place: NewPlace, settings: dict[str, str], name: str, token: str, sentence: str):
    """A token of the wrong kind or that Slack does not know is named by its setting, and never shown."""
    said = refused(new_place(settings), **{name: token})

    assert said == [sentence]
    assert token not in "".join(said)


def test_without_slack_it_does_not_serve(new_place: NewPlace, ground: Ground):
    """Without any token the settings to make are named."""
    assert refused(new_place(ground.settings)) == [
        "countersign: Slack is not set up: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or SLACK_SIGNING_SECRET. [malformed]"
    ]


@pytest.mark.parametrize("bare_town", [_uninvited()], indirect=True, ids=["not in the channel"])
def test_a_channel_that_cannot_be_used_takes_its_environment_out(new_place: NewPlace, ground: Ground, bare_town: Town):
    """The bot is not in the channel: nothing starts in the environment that asks there, and everything else goes on."""
    said = taken_out(new_place({**ground.settings, **bare_town.settings}), "channel", "not_in_channel")

    assert said.endswith("The bot is not in #prod-eu-1-approvals. Invite it: type /invite @Countersign in the channel.")


_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings"


def test_an_account_that_may_do_too_much_is_named(new_place: NewPlace, ground: Ground, settings: dict[str, str]):
    """A planner that somebody also let read secrets lets nothing start in that cluster, and the right is named."""
    role = {
        "metadata": {"name": "too-much"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    ground.admin.create(_BINDINGS.replace("rolebindings", "roles"), role)
    ground.admin.create(
        _BINDINGS,
        {
            "metadata": {"name": "too-much"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "too-much"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "shop", "name": "countersign-stories-plan-scaler"}],
        },
    )
    try:
        said = taken_out(new_place(settings), "checks", "right_too_many")
    finally:
        ground.admin.call("DELETE", f"{_BINDINGS}/too-much")

    assert (
        "demo: the account shop/countersign-stories-plan-scaler may also get secrets in shop, "
        "by the RoleBinding shop/too-much (Role too-much). Take that away." in said
    )


_POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/countersign-stories-executors"


def test_a_fence_that_falls_while_it_serves_is_seen(new_place: NewPlace, ground: Ground, settings: dict[str, str]):
    """Somebody takes a binding away: nothing starts, status names it with the cure; applied again, changes start again."""
    place = new_place(settings)
    binding = ground.admin.get(_POLICY)

    def lines(beginning: str) -> list[str]:
        said = [" ".join(line.split()) for line in place.run("status").out.splitlines()]
        return [one for one in said if one.startswith(beginning)]

    with place.serving():
        place.wait_for_leg("environment", "demo", "good", within_s=40.0)
        assert lines("environment demo good")
        ground.admin.call("DELETE", _POLICY)
        try:
            place.wait_for_leg("fences", "demo", "failing", within_s=60.0)
            place.wait_for_leg("environment", "demo", "failing", "fence_missing", within_s=10.0)
            (fallen,), held = lines("fences demo"), lines("environment demo failing (fence_missing)")
        finally:
            made = {"metadata": {"name": binding["metadata"]["name"]}, "spec": binding["spec"]}
            ground.admin.create(_POLICY.rpartition("/")[0], made)
        place.wait_for_leg("environment", "demo", "good", within_s=60.0)
        assert lines("environment demo good")

    assert held
    assert (
        "the binding of the admission policy countersign-stories-executors is missing. Apply the manifests again"
        in fallen
    )


def test_an_account_that_may_do_too_little_is_named(new_place: NewPlace, ground: Ground, settings: dict[str, str]):
    """An executor whose binding was taken away is named with what it has to be able to do, and what to apply."""
    found = [
        one
        for one in ground.admin.get(_BINDINGS)["items"]
        if any(subject["name"] == "countersign-stories-exec-scaler-scale" for subject in one["subjects"])
    ]
    for one in found:
        ground.admin.call("DELETE", f"{_BINDINGS}/{one['metadata']['name']}")
    try:
        said = taken_out(new_place(settings), "checks", "right_missing")
    finally:
        for one in found:
            kept = {"name": one["metadata"]["name"], "labels": one["metadata"].get("labels", {})}
            ground.admin.create(_BINDINGS, {**one, "metadata": kept})

    assert "shop/countersign-stories-exec-scaler-scale may not" in said
    assert "has to" in said


def test_somebody_elses_kubeconfig_is_named(new_place: NewPlace, ground: Ground, settings: dict[str, str]):
    """An administrator's kubeconfig is named before anything else is asked: the bot's account may only mint."""
    admin = {
        "COUNTERSIGN_KUBECONFIG": str(ground.cluster.kubeconfig),
        "COUNTERSIGN_KUBE_CONTEXT": ground.cluster.context,
    }

    said = taken_out(new_place({**settings, **admin}), "checks", "other_account")

    assert "and should be system:serviceaccount:countersign-stories:countersign" in said
