"""The contract, identities: tokens, who am I, what may I do, and the admission fences."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.cluster.places import MINT_RULE, NAMESPACE, REQUEST_ID, SCALE_RULE
from tests.sandbox.cluster.wire import MERGE, claims_of

ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
TOKEN = f"{ACCOUNTS}/planner/token"
WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
WHAT_MAY_I = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
PLANNER = f"system:serviceaccount:{NAMESPACE}:planner"

WHOLE = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}


def test_a_token(place):
    """A TokenRequest comes back with a token of that account, its end, the server's audience and an id of its own."""
    begun = datetime.now(UTC)

    reply = place.wire.post(TOKEN, WHOLE)

    assert reply.status == 201
    answer = reply.body
    token, ends = answer["status"]["token"], datetime.fromisoformat(answer["status"]["expirationTimestamp"])
    audience = ["https://kubernetes.default.svc"]
    assert answer["spec"] == {"audiences": audience, "expirationSeconds": 600, "boundObjectRef": None}
    assert timedelta(seconds=598) <= ends - begun <= timedelta(seconds=605)
    claims = claims_of(token)
    assert (claims["sub"], claims["aud"], claims["exp"]) == (PLANNER, audience, int(ends.timestamp()))
    assert claims["exp"] - claims["iat"] == 600
    assert len(claims["jti"]) == 36
    assert answer["metadata"]["name"] == "planner"
    assert answer["metadata"]["uid"] == claims["kubernetes.io"]["serviceaccount"]["uid"]


def test_no_two_tokens_are_the_same(place):
    """Each has its own id, so that each use can be traced to one issue."""
    first, second = (place.wire.post(TOKEN, WHOLE).body["status"]["token"] for _ in range(2))

    assert claims_of(first)["jti"] != claims_of(second)["jti"]


@pytest.mark.parametrize("body", [{}, {"spec": {}}, {"spec": {"expirationSeconds": None}}])
def test_a_token_lasts_an_hour_unless_it_says_less(place, body):
    """Left out, the life is 3600 s."""
    assert place.wire.post(TOKEN, body).body["spec"]["expirationSeconds"] == 3600


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (599, "may not specify a duration less than 10 minutes"),
        (-1, "may not specify a duration less than 10 minutes"),
        (2**32 + 1, "may not specify a duration larger than 2^32 seconds"),
    ],
)
def test_a_token_has_a_least_and_a_most_life(place, seconds, why):
    """Outside of ten minutes to 2^32 seconds it is 422, with the field's path."""
    reply = place.wire.post(TOKEN, {"spec": {"expirationSeconds": seconds}})

    message = f"Invalid value: {seconds}: {why}"
    assert reply.refusal == {
        "code": 422,
        "reason": "Invalid",
        "message": f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: {message}',
        "details": {
            "group": "authentication.k8s.io",
            "kind": "TokenRequest",
            "causes": [{"reason": "FieldValueInvalid", "message": message, "field": "spec.expirationSeconds"}],
        },
    }


def test_a_token_of_nobody(place):
    """Without such an account it is 404."""
    reply = place.wire.post(f"{ACCOUNTS}/nobody/token", WHOLE)

    assert reply.refusal == {
        "code": 404,
        "reason": "NotFound",
        "message": 'serviceaccounts "nobody" not found',
        "details": {"name": "nobody", "kind": "serviceaccounts"},
    }


@pytest.mark.parametrize(
    ("body", "content_type", "code", "reason"),
    [
        (b"{", "application/json", 400, "BadRequest"),
        (b'{"apiVersion":"v1","kind":"Pod"}', "application/json", 400, "BadRequest"),
        (b'{"spec":{"expirationSeconds":"600"}}', "application/json", 400, "BadRequest"),
        (b"{}", "text/plain", 415, "UnsupportedMediaType"),
        (b"{}", MERGE, 415, "UnsupportedMediaType"),
    ],
)
def test_a_request_for_a_token_must_be_one(place, body, content_type, code, reason):
    """What is no TokenRequest in JSON is refused."""
    reply = place.wire.send("POST", TOKEN, body, content_type=content_type)

    assert (reply.status, reply.body["reason"]) == (code, reason)


def test_an_unknown_field_is_dropped_with_a_warning(place):
    """Without strictness a misspelt field is no refusal."""
    reply = place.wire.post(TOKEN, {"spec": {"expirationSecond": 600}})

    assert (reply.status, reply.body["spec"]["expirationSeconds"]) == (201, 3600)
    assert reply.headers["Warning"] == '299 - "unknown field \\"spec.expirationSecond\\""'


def test_a_token_for_another_audience_is_not_taken(place):
    """It is minted and it is 401 here."""
    minted = place.wire.post(TOKEN, {"spec": {"audiences": ["elsewhere"]}})

    reply = place.wire.speaking_as(minted.body["status"]["token"]).send("GET", "/version")

    assert (minted.status, minted.body["spec"]["audiences"]) == (201, ["elsewhere"])
    assert reply.refusal == {"code": 401, "reason": "Unauthorized", "message": "Unauthorized"}


@pytest.mark.parametrize("body", [{}, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}])
def test_who_am_i(place, body):
    """A SelfSubjectReview tells name, uid, groups and the id of the token that was used."""
    minted = place.wire.post(TOKEN, WHOLE).body
    token = minted["status"]["token"]

    reply = place.wire.speaking_as(token).post(WHO_AM_I, body)

    assert reply.status == 201
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("SelfSubjectReview", "authentication.k8s.io/v1")
    assert reply.body["status"] == {
        "userInfo": {
            "username": PLANNER,
            "uid": minted["metadata"]["uid"],
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]},
        }
    }


BASELINE = [
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
]


def rules_of(place, account, namespace):
    """Return the status of the account's rules review, its parts in a fixed order."""
    reply = place.as_account(account).post(WHAT_MAY_I, {"spec": {"namespace": namespace}})
    assert reply.status == 201
    status = reply.body["status"]
    return {**status, "resourceRules": in_order(status["resourceRules"])}


def in_order(rules):
    """Return the rules in an order that does not depend on how they are written."""
    return sorted(rules, key=lambda rule: json.dumps(rule, sort_keys=True))


@pytest.mark.parametrize(
    ("account", "namespace", "rules"),
    [
        ("nothing", NAMESPACE, []),
        ("scaler", NAMESPACE, [SCALE_RULE]),
        ("minter", NAMESPACE, [MINT_RULE]),
        ("scaler", "kube-system", []),
        ("scaler", "nowhere", []),
    ],
)
def test_what_may_i_do(place, account, namespace, rules):
    """A rules review tells all rules of one namespace: the account's own, and those that everybody has."""
    found = rules_of(place, account, namespace)

    assert found["resourceRules"] == in_order([*BASELINE, *rules])
    assert found["incomplete"] is False
    assert all(set(rule) == {"verbs", "nonResourceURLs"} for rule in found["nonResourceRules"])
    paths = {path for rule in found["nonResourceRules"] for path in rule["nonResourceURLs"]}
    assert paths == {
        *("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz"),
        *("/version", "/version/", "/.well-known/openid-configuration", "/.well-known/openid-configuration/"),
        *("/openid/v1/jwks", "/openid/v1/jwks/"),
    }


def test_a_rules_review_needs_a_namespace(place):
    """Without one it is 400."""
    reply = place.as_account("scaler").post(WHAT_MAY_I, {"spec": {}})

    assert reply.refusal == {"code": 400, "reason": "BadRequest", "message": "no namespace on request"}


def denied(name, message, *, group, kind, subject):
    """Return the refusal by an admission policy."""
    why = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {message}"
    details = {"name": subject, "kind": kind, "causes": [{"message": why}]} | ({"group": group} if group else {})
    qualified = f"{kind}.{group}" if group else kind
    return {
        "code": 403,
        "reason": "Forbidden",
        "message": f'{qualified} "{subject}" is forbidden: {why}',
        "details": details,
    }


class TestFences:
    """Admission policies refuse what rights alone would allow."""

    @pytest.mark.parametrize("subresource", ["", "/scale"])
    @pytest.mark.parametrize("number", [3, 4], ids=["no change", "a change"])
    def test_a_planner_only_dry_runs(self, place, subresource, number):
        """The dry run passes, the same patch without it is refused, also where it would change nothing."""
        path = place.workload()
        before = place.wire.get(path)
        planner = place.as_account("planner")

        dry = planner.patch(f"{path}{subresource}", {"spec": {"replicas": number}}, dryRun="All")
        wet = planner.patch(f"{path}{subresource}", {"spec": {"replicas": number}})

        name = path.rsplit("/", 1)[-1]
        assert dry.status == 200
        assert wet.refusal == denied(
            "contract-planner", "only dry runs", group="apps", kind="deployments", subject=name
        )
        assert place.wire.get(path) == before

    def test_a_planner_may_review_itself(self, place):
        """Reviews of oneself are no writes to fence."""
        planner = place.as_account("planner")

        assert planner.post(WHO_AM_I, {}).status == 201
        assert planner.post(WHAT_MAY_I, {"spec": {"namespace": NAMESPACE}}).status == 201

    @pytest.mark.parametrize("spec", [{"expirationSeconds": 3600}, {"expirationSeconds": 601}, {}])
    def test_a_minter_mints_short_tokens(self, place, spec):
        """More than 600 s, also by saying nothing, is refused; 600 s pass."""
        minter = place.as_account("minter")

        assert minter.post(TOKEN, {"spec": spec}).refusal == denied(
            "contract-minter", "at most 600 s", group="", kind="serviceaccounts", subject="planner"
        )
        assert minter.post(TOKEN, WHOLE).status == 201

    def test_a_minter_mints_for_the_server_itself(self, place):
        """The server's own audience passes, said or left out; another one, or another beside it, is refused."""
        minter, own = place.as_account("minter"), "https://kubernetes.default.svc"
        asked = {"own": [own], "none": [], "another": ["vault"], "both": [own, "vault"]}

        statuses = {
            what: minter.post(TOKEN, {"spec": {"expirationSeconds": 600, "audiences": audiences}}).status
            for what, audiences in asked.items()
        }

        assert statuses == {"own": 201, "none": 201, "another": 403, "both": 403}

    def test_a_guarded_account_is_minted_by_its_minter_alone(self, place):
        """An administrator may mint any account's token, and not this one's."""
        path = f"{ACCOUNTS}/guarded/token"

        assert place.wire.post(path, WHOLE).refusal == denied(
            "contract-guarded", "by the minter only", group="", kind="serviceaccounts", subject="guarded"
        )
        assert place.as_account("minter").post(path, WHOLE).status == 201

    @pytest.mark.parametrize("text", ["", "x" * 21, "a\nb", "Capital"])
    def test_an_editor_keeps_to_a_form(self, place, text):
        """A field that may change may not change to anything."""
        path = place.workload(settled=False)

        marked = place.as_account("editor").patch(path, {"metadata": {"annotations": {REQUEST_ID: text}}})

        assert (marked.status, marked.body["reason"]) == (403, "Forbidden")

    def test_an_editor_keeps_to_its_fields(self, place):
        """The fields of the verb pass; another one is refused, also in a dry run."""
        path = place.workload()
        editor = place.as_account("editor")

        marked = editor.patch(path, {"metadata": {"annotations": {REQUEST_ID: "esc_1"}}})
        swapped = editor.patch(path, {"spec": {"template": {"spec": {"serviceAccountName": "admin"}}}}, dryRun="All")

        name = path.rsplit("/", 1)[-1]
        assert marked.status == 200
        assert swapped.refusal == denied(
            "contract-editor", "only the request id", group="apps", kind="deployments", subject=name
        )

    def test_a_fence_stands_behind_preconditions_and_validation(self, place):
        """A stale version, another uid, an impossible value and a misspelt field are found before the fence."""
        path = place.workload()
        planner = place.as_account("planner")

        found = {
            "stale": planner.patch(path, {"metadata": {"resourceVersion": "1"}}).status,
            "stale scale": planner.patch(f"{path}/scale", {"metadata": {"resourceVersion": "1"}}).status,
            "uid": planner.patch(path, {"metadata": {"uid": "1"}}).status,
            "uid of a scale": planner.patch(f"{path}/scale", {"metadata": {"uid": "1"}}).status,
            "negative": planner.patch(f"{path}/scale", {"spec": {"replicas": -1}}).status,
            "misspelt": planner.patch(path, {"spec": {"replcas": 1}}, fieldValidation="Strict").status,
            "missing": planner.patch(f"{path}-not", {}).status,
            "life": place.as_account("minter").post(TOKEN, {"spec": {"expirationSeconds": 599}}).status,
            "account": place.as_account("minter").post(f"{ACCOUNTS}/nobody/token", WHOLE).status,
        }

        assert found == {
            "stale": 409,
            "stale scale": 409,
            "uid": 422,
            "uid of a scale": 409,
            "negative": 422,
            "misspelt": 422,
            "missing": 404,
            "life": 422,
            "account": 404,
        }
