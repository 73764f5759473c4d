"""The stand-in itself: what it does not offer, its journal, its kubeconfig, its life, and what somebody else can do."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kubernetes.client import ApiClient, AppsV1Api, Configuration
from kubernetes.config import load_kube_config

from bot.local.cluster import Account, DryRunOnly, Refused, Rule, Seed, StandIn, deployment, stateful_set
from tests.bot.local.cluster.wire import MERGE, Wire
from tests.waiting import wait_until

CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"
TOKEN = "/api/v1/namespaces/shop/serviceaccounts/planner/token"


class TestNotOffered:
    """Everything beyond scale and restart is 501 and says so; nothing is pretended."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/"),
            ("GET", "/apis"),
            ("GET", "/api/v1/pods"),
            ("GET", "/api/v1/namespaces/shop/pods"),
            ("GET", "/api/v1/namespaces/shop/secrets/one"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments"),
            ("GET", "/apis/apps/v1/namespaces/shop/daemonsets/checkout"),
            ("GET", "/apis/apps/v1beta1/namespaces/shop/deployments/checkout"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments/"),
            ("GET", f"{CHECKOUT}/status"),
            ("GET", f"{CHECKOUT}?watch=1"),
            ("PUT", CHECKOUT),
            ("PUT", f"{CHECKOUT}/scale"),
            ("DELETE", CHECKOUT),
            ("POST", "/apis/apps/v1/namespaces/shop/deployments"),
            ("POST", "/api/v1/namespaces/shop/pods/web/eviction"),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            ("PATCH", "/api/v1/namespaces/shop"),
            ("OPTIONS", CHECKOUT),
            ("BREW", CHECKOUT),
        ],
    )
    def test_calls(self, wire, method, path):
        """A call that is not offered."""
        reply = wire.send(method, path, b"{}" if method != "GET" else None)

        assert (reply.status, reply.body["reason"], reply.body["code"]) == (501, "NotImplemented", 501)
        assert reply.body["message"].startswith("the stand-in does not offer ")

    def test_queries_without_an_end(self, stand_in, wire):
        """More than a hundred parameters are a bad request, noted as one."""
        reply = wire.send("GET", f"/version?{'&'.join(['a=b'] * 101)}")

        assert (reply.status, reply.body["reason"]) == (400, "BadRequest")
        assert [(entry.path, entry.status) for entry in stand_in.requests] == [("/version", 400)]

    @pytest.mark.parametrize("field", ["finalizers", "ownerReferences", "managedFields"])
    def test_fields(self, wire, field):
        """A change of metadata that would need a garbage collector, or would rewrite ownership."""
        reply = wire.patch(CHECKOUT, {"metadata": {field: ["a"]}})

        assert (reply.status, reply.body["message"].split("; ")[0]) == (
            501,
            f"the stand-in does not offer changing metadata.{field}",
        )

    def test_tokens_bound_to_an_object(self, shop):
        """They would have to end with it."""
        wire = Wire(shop.server, token=shop.token())
        bound = {"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "x"}}}

        reply = wire.post("/api/v1/namespaces/shop/serviceaccounts/plan-sre/token", bound)

        assert reply.status == 501

    def test_bodies_without_a_length(self, stand_in):
        """A chunked body is refused and the connection ends."""
        said = exchanged(stand_in, b"PATCH / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        assert said.startswith(b"HTTP/1.1 501 ")

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"505"),
            (b"GET /version HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
            (b"GET /version HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"400"),
            (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        ],
    )
    def test_what_is_no_http(self, stand_in, sent, status):
        """It gets a Status and a closed connection, and no traceback anywhere."""
        said = exchanged(stand_in, sent)

        head, _, body = said.partition(b"\r\n\r\n")
        assert head.split(b" ", 2)[1] == status
        assert json.loads(body)["kind"] == "Status"


def exchanged(stand_in, sent):
    """Return everything that comes back for raw bytes."""
    host, port = stand_in.server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        said = b""
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass  # it need not read to the end what it refuses
        return said


class TestJournal:
    """What came in can be asked, and holds no token."""

    def test_notes_what_was_asked(self, stand_in, wire):
        """A write with its identity, options, bytes and outcome."""
        body = b'{"spec": {"replicas": 4}}'
        query = "dryRun=All&fieldManager=countersign:esc_1&fieldValidation=Strict"

        reply = wire.send(
            "PATCH",
            f"{CHECKOUT}/scale?{query}",
            body,
            content_type=MERGE,
            headers={"User-Agent": "countersign/1 req/esc_1"},
        )

        [entry] = stand_in.requests
        assert (entry.number, entry.method, entry.path, entry.user) == (
            1,
            "PATCH",
            f"{CHECKOUT}/scale",
            "stand-in-admin",
        )
        assert (entry.dry_run, entry.field_manager, entry.field_validation) == (True, "countersign:esc_1", "Strict")
        assert (entry.user_agent, entry.body) == ("countersign/1 req/esc_1", body)
        assert (entry.status, entry.audit_id, entry.changed) == (200, reply.headers["Audit-Id"], False)

    def test_tells_writes_effects_and_mints_apart(self, stand_in, wire):
        """A dry run is no mutating call; a write that is refused or changes nothing has no effect."""
        wire.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": 4}}, dryRun="All")
        wire.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": 4}})
        wire.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": 4}})
        wire.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": -4}})
        wire.post(TOKEN, {})

        assert [entry.number for entry in stand_in.mutating_calls()] == [2, 3, 4]
        assert [entry.number for entry in stand_in.effects()] == [2]
        assert [entry.number for entry in stand_in.mints()] == [5]

    def test_holds_no_token(self, shop):
        """Neither the one that was sent nor the one that was minted, and no query and no body of a POST."""
        token = shop.token()

        minted = Wire(shop.server, token=token).post(
            "/api/v1/namespaces/shop/serviceaccounts/plan-sre/token?a=secret", {"spec": {}}
        )

        kept = repr(shop.requests)
        assert minted.status == 201
        assert not any(secret in kept for secret in (token, minted.body["status"]["token"], "secret"))


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


class TestWarnings:
    """A server may warn of what it lets pass."""

    def test_a_seeded_warning_comes_with_every_write(self, tmp_path):
        """Also with a dry run; not with a read, and not for another resource."""
        workloads = (deployment("shop", "checkout"), stateful_set("shop", "ledger"))
        seed = Seed(namespaces=("shop",), workloads=workloads, warnings={"deployments": 'say "hello"'})

        with StandIn(tmp_path, seed) as cluster:
            wire = Wire(cluster.server, token=cluster.token())
            ledger = CHECKOUT.replace("deployments/checkout", "statefulsets/ledger")
            replies = [
                wire.patch(CHECKOUT, {}, dryRun="All"),
                wire.patch(f"{CHECKOUT}/scale", {}),
                wire.send("GET", CHECKOUT),
                wire.patch(ledger, {}),
            ]

        warned = '299 - "say \\"hello\\""'
        assert [reply.headers.get("Warning") for reply in replies] == [warned, warned, None, None]


class TestSomebodyElse:
    """What others do to the cluster, by method."""

    def test_edits(self, stand_in):
        """An edit raises the generation and is owned by whoever made it."""
        after = stand_in.change("Deployment", "shop", "checkout", {"spec": {"paused": True}}, manager="kubectl-edit")

        assert (after["spec"]["paused"], after["metadata"]["generation"]) == (True, 2)
        assert "kubectl-edit" in [entry["manager"] for entry in after["metadata"]["managedFields"]]

    def test_scales(self, stand_in):
        """A scale by hand goes through the subresource."""
        after = stand_in.scale("Deployment", "shop", "checkout", 5)

        [entry] = [entry for entry in after["metadata"]["managedFields"] if entry.get("subresource") == "scale"]
        assert (after["spec"]["replicas"], entry["manager"]) == (5, "kubectl")

    @pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
    def test_creates_again(self, stand_in, kind):
        """The same name and specification, another uid; its pods become ready anew."""
        name = {"Deployment": "checkout", "StatefulSet": "ledger"}[kind]
        before = stand_in.workload(kind, "shop", name)

        stand_in.recreate(kind, "shop", name)

        after = stand_in.workload(kind, "shop", name)
        assert (after["spec"], after["metadata"]["labels"]) == (before["spec"], before["metadata"]["labels"])
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        wait_until(
            lambda: stand_in.workload(kind, "shop", name)["status"].get("readyReplicas") == before["spec"]["replicas"],
            what="its pods are ready",
        )

    def test_deletes(self, stand_in, wire):
        """What is deleted is not found, and can be made again."""
        stand_in.delete("Deployment", "shop", "checkout")

        assert wire.send("GET", CHECKOUT).status == 404
        with pytest.raises(Refused):
            stand_in.delete("Deployment", "shop", "checkout")
        stand_in.create(deployment("shop", "checkout", replicas=1))
        assert wire.get(CHECKOUT)["spec"]["replicas"] == 1

    def test_mistakes_are_told(self, stand_in):
        """A misspelt field is refused, and so is a namespace that is not there."""
        with pytest.raises(Refused) as refused:
            stand_in.change("Deployment", "shop", "checkout", {"spec": {"replcas": 1}})
        with pytest.raises(ValueError, match="not among the namespaces"):
            stand_in.create(deployment("bank", "checkout"))

        assert refused.value.code == 422


class TestKubeconfig:
    """Any client finds it by the file."""

    def test_is_for_its_owner_only(self, stand_in):
        """It holds a token, so nobody else may read it."""
        assert stat.S_IMODE(stand_in.kubeconfig.stat().st_mode) == 0o600

    def test_serves_the_official_client(self, stand_in):
        """The official client reads it and scales."""
        configuration = Configuration()
        load_kube_config(
            config_file=str(stand_in.kubeconfig),
            context=stand_in.context,
            client_configuration=configuration,
            persist_config=False,
        )
        with ApiClient(configuration) as client:
            apps = AppsV1Api(client)
            before = apps.read_namespaced_deployment("checkout", "shop")
            apps.patch_namespaced_deployment_scale(
                "checkout", "shop", {"spec": {"replicas": 4}}, _content_type=MERGE, field_manager="countersign:a"
            )

        assert before.spec.replicas == 3
        assert stand_in.workload("Deployment", "shop", "checkout")["spec"]["replicas"] == 4

    def test_speaks_as_the_seeds_user(self, shop):
        """The example seed's user is the bot: it may ask for the cluster's uid and mint, and read no workload."""
        user = json.loads(shop.kubeconfig.read_text())["users"][0]["user"]
        wire = Wire(shop.server, token=user["token"])

        assert wire.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] == shop.uid
        assert wire.send("GET", CHECKOUT).status == 403
        mint = "/api/v1/namespaces/shop/serviceaccounts/exec-sre-scale/token"
        assert wire.post(mint, {"spec": {"expirationSeconds": 600}}).status == 201
        assert wire.post(mint, {"spec": {"expirationSeconds": 3600}}).status == 403

    def test_goes_with_the_stand_in(self, tmp_path):
        """When it has stopped, nothing points at it any more."""
        with StandIn(tmp_path / "new" / "folder") as cluster:
            path = cluster.kubeconfig
            assert path.exists()

        assert not path.exists()


class TestExampleSeed:
    """The accounts of the example can do their work and no more."""

    def test_an_agents_accounts(self, shop):
        """Planner: dry run only. Executors: their verb. Observer: reads."""
        restart = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
        found = {}
        for name in ("plan-sre", "exec-sre-scale", "exec-sre-restart", "watch-sre"):
            wire = Wire(shop.server, token=shop.token(Account(namespace="shop", name=name)))
            found[name] = (
                wire.send("GET", CHECKOUT).status,
                wire.patch(CHECKOUT, restart, dryRun="All").status,
                wire.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": 4}}).status,
                wire.patch(CHECKOUT, restart).status,
                wire.patch(CHECKOUT, {"spec": {"paused": True}}).status,
            )

        assert found == {
            "plan-sre": (200, 200, 403, 403, 403),
            "exec-sre-scale": (403, 403, 200, 403, 403),
            "exec-sre-restart": (200, 200, 403, 200, 403),
            "watch-sre": (200, 403, 403, 403, 403),
        }

    @pytest.mark.parametrize(("number", "status"), [(1000, 200), (1001, 403), (0, 200)])
    def test_a_scale_has_a_ceiling(self, shop, number, status):
        """A thousand pods pass, one more does not, and none at all is a number, too."""
        executor = Wire(shop.server, token=shop.token(Account(namespace="shop", name="exec-sre-scale")))

        assert executor.patch(f"{CHECKOUT}/scale", {"spec": {"replicas": number}}, dryRun="All").status == status


class TestLife:
    """It starts and ends cleanly."""

    def test_ends_all_its_threads(self, tmp_path):
        """Nothing of it is left, also with connections open."""
        before = set(threading.enumerate())
        with StandIn(tmp_path) as cluster:
            host, port = cluster.server.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))):
                wait_until(lambda: len(set(threading.enumerate()) - before) == 3, what="the connection is served")

        assert set(threading.enumerate()) <= before

    def test_serves_several_at_once(self, stand_in, wire):
        """Thirty simultaneous scales of the same version: one wins, the others meet a conflict."""
        version = wire.get(CHECKOUT)["metadata"]["resourceVersion"]
        statuses = []
        ready = threading.Barrier(30)

        def scale(number):
            ready.wait()
            patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": number}}
            statuses.append(wire.patch(f"{CHECKOUT}/scale", patch).status)

        clients = [threading.Thread(target=scale, args=(number,)) for number in range(100, 130)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(30)

        assert sorted(statuses) == [200] + [409] * 29
        assert len(stand_in.effects()) == 1

    def test_listens_on_loopback_only(self, stand_in):
        """Its address is 127.0.0.1."""
        assert stand_in.server.startswith("http://127.0.0.1:")

    @pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
    def test_the_command_runs_until_it_is_ended(self, end):
        """``python -m bot.local.cluster`` prints its kubeconfig path, serves, and leaves nothing behind."""
        command = [sys.executable, "-m", "bot.local.cluster"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            path = Path(process.stdout.readline().strip())
            config = json.loads(path.read_text())
            server = config["clusters"][0]["cluster"]["server"]
            served = Wire(server, token=config["users"][0]["user"]["token"]).send("GET", "/version")
            process.send_signal(end)
            status = process.wait(20)

        assert (served.status, status) == (200, 0)
        assert not path.parent.exists()
