"""Who may do what on the stand-in: how tokens end, and how rules match."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.cluster import Account, DryRunOnly, Refused, Rule, Seed, StandIn, deployment
from tests.sandbox.cluster.wire import Wire

CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"
TOKEN = "/api/v1/namespaces/shop/serviceaccounts/planner/token"


class TestTokens:
    """Tokens end, and cannot be made by anybody else."""

    @pytest.mark.parametrize(("after_s", "status"), [(600, 200), (660, 200), (661, 401), (5000, 401)])
    def test_an_expired_token_has_a_minute_of_leeway(self, tmp_path, after_s, status):
        """A token is taken until just before 61 s after its end, as on a real server."""
        clock = [datetime(2026, 1, 1, tzinfo=UTC)]
        account = Account(namespace="shop", name="planner")
        with StandIn(tmp_path, Seed(namespaces=("shop",), accounts=(account,)), now=lambda: clock[0]) as cluster:
            admin = Wire(cluster.server, token=cluster.token())
            minted = admin.post(TOKEN, {"spec": {"expirationSeconds": 600}}).body["status"]
            clock[0] += timedelta(seconds=after_s)

            reply = admin.speaking_as(minted["token"]).send("GET", "/version")

        assert minted["expirationTimestamp"] == "2026-01-01T00:10:00Z"
        assert reply.status == status

    def test_another_stand_ins_token_is_worth_nothing(self, tmp_path, stand_in):
        """Each run has a key of its own."""
        with StandIn(tmp_path / "other") as other:
            foreign = other.token()

        assert Wire(stand_in.server, token=foreign).send("GET", "/version").status == 401

    def test_only_known_accounts_have_tokens(self, stand_in):
        """A test that misspells an account is told."""
        with pytest.raises(Refused, match='404 NotFound: serviceaccounts "nobody" not found'):
            stand_in.token(Account(namespace="shop", name="nobody"))


class TestRights:
    """Rules match as RBAC matches."""

    @pytest.mark.parametrize(
        ("resources", "verbs", "status"),
        [
            (("deployments",), ("get",), 403),
            (("deployments/scale",), ("get",), 200),
            (("*/scale",), ("get",), 200),
            (("deployments/*",), ("get",), 403),
            (("*",), ("get",), 200),
            (("deployments/scale",), ("patch",), 403),
            (("deployments/scale",), ("*",), 200),
        ],
    )
    def test_wildcards(self, tmp_path, resources, verbs, status):
        """A star is any resource, and ``*/scale`` any scale; ``deployments/*`` is nothing."""
        account = Account(
            namespace="shop",
            name="a",
            rules=(Rule(groups=("apps",), resources=resources, verbs=verbs, namespace="shop"),),
        )
        seed = Seed(namespaces=("shop",), workloads=(deployment("shop", "checkout"),), accounts=(account,))

        with StandIn(tmp_path, seed) as cluster:
            reply = Wire(cluster.server, token=cluster.token(account)).send("GET", f"{CHECKOUT}/scale")

        assert reply.status == status

    def test_a_rule_holds_in_its_namespace(self, tmp_path):
        """Without a namespace it holds everywhere."""
        here = Rule(groups=("apps",), resources=("deployments",), verbs=("get",), namespace="shop")
        everywhere = Rule(groups=("apps",), resources=("deployments",), verbs=("get",))
        accounts = tuple(
            Account(namespace="shop", name=name, rules=(rule,)) for name, rule in (("a", here), ("b", everywhere))
        )
        workloads = tuple(deployment(namespace, "checkout") for namespace in ("shop", "bank"))
        with StandIn(tmp_path, Seed(namespaces=("shop", "bank"), workloads=workloads, accounts=accounts)) as cluster:
            statuses = [
                Wire(cluster.server, token=cluster.token(account))
                .send("GET", CHECKOUT.replace("shop", namespace))
                .status
                for account in accounts
                for namespace in ("shop", "bank")
            ]

        assert statuses == [200, 403, 200, 200]

    def test_the_administrator(self, wire):
        """It belongs to the group that may do everything, and its rules say so."""
        who = wire.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).body["status"]["userInfo"]
        review = wire.post(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "shop"}}
        ).body["status"]

        assert (who["username"], who["groups"]) == ("stand-in-admin", ["system:masters", "system:authenticated"])
        assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in review["resourceRules"]

    def test_who_only_dry_runs_mints_nothing(self, tmp_path):
        """The planner's fence stands before every write, also one that makes a token."""
        rule = Rule(groups=("",), resources=("serviceaccounts/token",), verbs=("create",))
        planner = Account(namespace="shop", name="planner", rules=(rule,))
        fence = DryRunOnly(name="planners", users=("*:planner",))
        with StandIn(tmp_path, Seed(namespaces=("shop",), accounts=(planner,), fences=(fence,))) as cluster:
            wire = Wire(cluster.server, token=cluster.token(planner))
            statuses = [wire.post(f"{TOKEN}{query}", {}).status for query in ("", "?dryRun=All")]

        assert statuses == [403, 201]
