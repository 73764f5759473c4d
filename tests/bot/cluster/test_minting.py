import base64
import json
from datetime import timedelta

import pytest

from approvals.errors import Forbidden, Unavailable
from approvals.identity.names import EscalationId
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, kubeconfig, on_stage, token_for
from tests.bot.cluster.scripted import Answer, Reset, status
from tests.builders import INSTALLATION, NOON, a_wish

ACCOUNT = INSTALLATION.executor("scaler", "scale", "shop")


def _mint(door):
    return door.mint(environment=ENVIRONMENT, account=ACCOUNT)


def test_t_exe_01_a_token_is_asked_for_600_seconds_and_no_audience(tmp_path):
    """T-EXE-01: the server's least life, the server's own audience, and the server says whose it is (I11)."""
    with on_stage(tmp_path, Backstage()) as (server, door):
        minted = _mint(door)

    which, asked, confirmed = server.received
    assert which.path == "/api/v1/namespaces/kube-system"
    assert asked.path == "/api/v1/namespaces/shop/serviceaccounts/countersign-acme-exec-scaler-scale/token"
    assert json.loads(asked.body)["spec"] == {"expirationSeconds": 600}
    assert confirmed.headers["authorization"] == f"Bearer {token_for(ACCOUNT.username)}"
    assert (minted.account, minted.token_id) == (ACCOUNT, "jti-1")
    assert minted.expires_at == NOON + timedelta(seconds=600)


def test_a_minted_token_shows_nothing_of_itself(tmp_path):
    """A credential in a log line or a traceback gives nothing away (I12)."""
    with on_stage(tmp_path, Backstage()) as (_, door):
        minted = _mint(door)

    assert token_for(ACCOUNT.username).split(".")[1] not in repr(minted)
    assert "Bearer" not in repr(minted)


def test_the_servers_own_id_of_a_credential_goes_before_the_claims(tmp_path):
    """The id that the server's audit log uses is what it says itself, where it says so."""
    user = {"username": ACCOUNT.username, "extra": {"authentication.kubernetes.io/credential-id": ["JTI=by-server"]}}
    review = Answer(status=201, body={"status": {"userInfo": user}})
    with on_stage(tmp_path, Backstage(odd={("POST", "selfsubjectreviews"): review})) as (_, door):
        assert _mint(door).token_id == "by-server"


WRONG = {
    "another's": (
        {("POST", "selfsubjectreviews"): Answer(body={"status": {"userInfo": {"username": "x"}}})},
        Forbidden,
    ),
    "nobody's": ({("POST", "selfsubjectreviews"): Answer(body={})}, Forbidden),
    "not accepted": ({("POST", "selfsubjectreviews"): status(401, "Unauthorized")}, Forbidden),
    "not permitted": ({("POST", "token"): status(403, "Forbidden")}, Forbidden),
    "no such account": ({("POST", "token"): status(404, "NotFound")}, Forbidden),
    "busy": ({("POST", "token"): status(429, "TooManyRequests")}, Unavailable),
    "broken": ({("POST", "token"): status(500, "InternalError")}, Unavailable),
    "reset": ({("POST", "token"): Reset()}, Unavailable),
    "empty": ({("POST", "token"): Answer(body={})}, Unavailable),
    "garbage": ({("POST", "token"): Answer(body=b"?")}, Unavailable),
    "two lines": (
        {("POST", "token"): Answer(body={"status": {"token": "a\nb", "expirationTimestamp": "2026-11-20T12:10:00Z"}})},
        Unavailable,
    ),
}


@pytest.mark.parametrize(("odd", "error"), WRONG.values(), ids=WRONG)
def test_only_a_confirmed_token_is_one(tmp_path, odd, error):
    """A token that is not certainly the account's is none: the bot may not, or the answer is not known."""
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door), pytest.raises(error):
        _mint(door)


def test_a_token_that_was_made_longer_is_refused(tmp_path):
    """Some servers lengthen tokens; one that outlives what was asked for is not used (I11)."""
    with (
        on_stage(tmp_path, Backstage(life=timedelta(seconds=601))) as (_, door),
        pytest.raises(Forbidden, match="longer than 600 seconds"),
    ):
        _mint(door)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", f"a.{base64.urlsafe_b64encode(b'[]').decode()}.c"])
def test_a_token_that_says_nothing_of_itself_is_taken(tmp_path, token):
    """Claims are a second look; where a token has none that can be read, the server's word stands alone."""
    made = Answer(body={"status": {"token": token, "expirationTimestamp": "2026-11-20T12:10:00Z"}})
    who = Answer(body={"status": {"userInfo": {"username": ACCOUNT.username}}})
    odd = {("POST", "token"): made, ("POST", "selfsubjectreviews"): who}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door):
        minted = _mint(door)

    assert (minted.token_id, minted.expires_at) == (None, NOON + timedelta(minutes=10))


def _preview(door):
    occasion = PlanSeed(escalation=EscalationId("esc_1"), at=NOON)
    return door.preview(a_wish(environment=ENVIRONMENT), verb=verb_called("scale"), occasion=occasion)


def test_an_executors_token_is_minted_each_time(tmp_path):
    """Consent is for one effect: no executor's token is used for another (I11)."""
    backstage = Backstage()
    with on_stage(tmp_path, backstage) as (_, door):
        first, second = _mint(door), _mint(door)

    assert (first.token_id, second.token_id) == ("jti-1", "jti-2")


def test_a_planners_token_is_used_again_until_shortly_before_its_end(tmp_path):
    """Planning again costs no new token, and a token about to end is replaced before it is used."""
    backstage = Backstage()
    instant = [NOON]
    with on_stage(tmp_path, backstage) as (server, _):
        door = KubernetesCluster(
            {ENVIRONMENT: Source(kubeconfig=kubeconfig(tmp_path, server.url))},
            installation=INSTALLATION,
            mac_key=b"k",
            now=lambda: instant[0],
            version="1",
        )
        for seconds in (0, 479, 480):
            instant[0] = NOON + timedelta(seconds=seconds)
            _preview(door)

    assert backstage.minted == [INSTALLATION.planner("scaler", "shop").username] * 2


def test_a_planners_token_that_is_not_accepted_is_replaced_once(tmp_path):
    """The account was deleted and made anew: its old token is worth nothing, and a new one does it."""
    backstage = Backstage()
    with on_stage(tmp_path, backstage) as (_, door):
        _preview(door)
        old = token_for(backstage.minted[0], number=1)
        backstage.odd = {
            ("GET", "checkout"): lambda request: (
                status(401, "Unauthorized") if old in request.headers["authorization"] else backstage.ordinary(request)
            )
        }
        preview = _preview(door)

    assert len(backstage.minted) == 2
    assert [change.after for step in preview.steps for change in step.changes] == [6]


def test_a_new_token_that_is_not_accepted_either_is_no_answer(tmp_path):
    """It is tried once, not for ever."""
    backstage = Backstage(odd={("GET", "checkout"): status(401, "Unauthorized")})
    with (
        on_stage(tmp_path, backstage) as (_, door),
        pytest.raises(Unavailable, match="does not accept the account countersign-acme-plan-scaler"),
    ):
        _preview(door)

    assert len(backstage.minted) == 1


def test_the_bots_own_token_is_read_anew_when_it_is_not_accepted(tmp_path):
    """A rotated kubeconfig is noticed at the first refusal, not a minute later."""
    backstage = Backstage()
    with on_stage(tmp_path, backstage) as (server, door):
        _mint(door)
        fresh = token_for("system:serviceaccount:countersign:countersign", number=9)
        kubeconfig(tmp_path, server.url, token=fresh)
        backstage.odd = {
            ("POST", "token"): lambda request: (
                backstage.ordinary(request)
                if fresh in request.headers["authorization"]
                else status(401, "Unauthorized")
            )
        }
        minted = _mint(door)

    assert minted.token_id == "jti-2"


def test_the_bots_own_token_that_stays_bad_is_no_answer(tmp_path):
    """Nothing can be minted, which is not known to be a refusal of this change."""
    backstage = Backstage(odd={("POST", "token"): status(401, "Unauthorized")})
    with (
        on_stage(tmp_path, backstage) as (_, door),
        pytest.raises(Unavailable, match="does not accept the bot's own account"),
    ):
        _mint(door)
