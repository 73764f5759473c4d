"""The stand-in itself: its journal, its kubeconfig, its life, its example, and what somebody else can do."""

import json
import os
import signal
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest
from kubernetes.client import ApiClient, AppsV1Api, Configuration
from kubernetes.config import load_kube_config

from sandbox.cluster import Account, Refused, Seed, StandIn, deployment, stateful_set
from tests.fixtures.programs import child
from tests.sandbox.cluster.wire import MERGE, Wire
from tests.waiting import wait_until

CHECKOUT = "/apis/apps/v1/namespaces/shop/deployments/checkout"
TOKEN = "/api/v1/namespaces/shop/serviceaccounts/planner/token"


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
        token = shop.token(Account(namespace="countersign", name="countersign"))

        minted = Wire(shop.server, token=token).post(
            "/api/v1/namespaces/shop/serviceaccounts/plan-sre/token?a=secret", {"spec": {"expirationSeconds": 600}}
        )

        kept = repr(shop.requests)
        assert minted.status == 201
        assert not any(secret in kept for secret in (token, minted.body["status"]["token"], "secret"))


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
        at = {"kubectl.kubernetes.io/restartedAt": "2026-11-20T12:00:00Z"}
        restart = {
            "metadata": {"annotations": {"countersign.dev/request-id": "esc_1"}},
            "spec": {"template": {"metadata": {"annotations": at}}},
        }
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


class TestDeclared:
    """Roles, bindings and admission policies are listed as they were declared, for whoever inspects a cluster."""

    def test_they_are_listed(self, tmp_path):
        """Across all namespaces, each in its own list; other kinds are passed over, and an administrator changes them."""
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []}
        metadata = {"name": "one", "namespace": "shop"}
        seed = Seed(declared=({**role, "metadata": metadata}, {"kind": "Deployment", "metadata": {"name": "d"}}))
        path = "/apis/rbac.authorization.k8s.io/v1/roles"

        with StandIn(tmp_path, seed) as cluster:
            wire = Wire(cluster.server, token=cluster.token())
            listed = wire.get(path)
            cluster.declared.put({**role, "metadata": {**metadata, "name": "two"}})
            cluster.declared.remove("Role", "one", "shop")
            then = wire.get(path)["items"]
            with pytest.raises(Refused):
                cluster.declared.remove("Role", "one", "shop")

        assert (listed["kind"], listed["items"]) == ("RoleList", [{"metadata": metadata, "rules": []}])
        assert [one["metadata"]["name"] for one in then] == ["two"]
        assert then[0]["metadata"]["namespace"] == "shop"


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
        """``python -m sandbox.cluster`` prints its kubeconfig path, serves, and leaves nothing behind."""
        command = [sys.executable, "-m", "sandbox.cluster"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with child(command, env=environment) as process:
            assert process.stdout is not None
            path = Path(process.stdout.readline().strip())
            config = json.loads(path.read_text())
            server = config["clusters"][0]["cluster"]["server"]
            served = Wire(server, token=config["users"][0]["user"]["token"]).send("GET", "/version")
            process.send_signal(end)
            status = process.wait(20)

        assert (served.status, status) == (200, 0)
        assert not path.parent.exists()
