"""Which environments share a cluster is the policy's to say: manifests are made from it, and the clusters are held against it."""

from pathlib import Path

import pytest
import yaml

from bot.cluster.rights.access import grants_of
from bot.settings import read
from bot.wiring.product import Product
from sandbox.cluster import StandIn
from tests.bot.cluster.stages import GRANTS, seed_of

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "policy.example.yml").read_text()
APART = EXAMPLE.replace("  # west: {context: west} ", "  west: {context: west} ").replace(
    "    cluster: main                       #", "    cluster: west #"
)

_THIRD = """
  staging:
    cluster: main
    channel: T0COUNTERSIGN:C0PROD
    zone: Europe/Berlin
    digest: {weekday: monday, at: 09:00}
"""


@pytest.fixture
def application(tmp_path):
    """A function that makes the product over a policy's text, with settings beside it."""

    def make(text, **settings):
        file = tmp_path / "policy.yml"
        file.write_text(text)
        return Product(given_settings=read({"COUNTERSIGN_POLICY": str(file), **settings}))

    return make


def _objects(text):
    documents = yaml.safe_load_all(text)
    return {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]): one for one in documents}


def test_the_manifests_of_every_environment_of_a_cluster_are_the_same(application):
    """Whichever is applied, and in whatever order, the other's accounts and fences are in it; no cluster is asked."""
    product = application(EXAMPLE, COUNTERSIGN_KUBECONFIG="/nowhere")

    demo, production = (product.manifests(name) for name in ("demo", "prod-eu-1"))

    assert demo == production
    accounts = {(namespace, name) for kind, namespace, name in _objects(demo) if kind == "ServiceAccount"}
    assert ("payments", "countersign-acme-plan-scaler") in accounts  # demo's alone
    assert ("payments", "countersign-acme-exec-healer-restart") in accounts


def test_a_third_environment_adds_to_what_the_others_have(application):
    """Nothing that stands for two environments changes or goes when a third one comes into their cluster."""
    third = EXAMPLE.replace("\nagents:\n", _THIRD + "\nagents:\n", 1).replace(
        "      prod-eu-1: [shop]\n", "      prod-eu-1: [shop]\n      staging: [lab]\n", 1
    )

    before = _objects(application(EXAMPLE).manifests("demo"))
    after = {name: _objects(application(third).manifests(name)) for name in ("demo", "prod-eu-1", "staging")}

    assert after["demo"] == after["prod-eu-1"] == after["staging"]
    assert {key: after["demo"].get(key) for key in before} == before
    assert {namespace for _, namespace, _ in after["demo"].keys() - before.keys()} == {"lab"}


def test_two_clusters_of_one_installation_have_the_same_fences(application):
    """Applied to one cluster by mistake, the manifests of the other take nothing away but what RBAC grants there."""
    product = application(APART)

    demo, production = (_objects(product.manifests(name)) for name in ("demo", "prod-eu-1"))

    def cluster_wide(objects):
        return {key: one for key, one in objects.items() if key[1] is None}

    assert cluster_wide(demo) == cluster_wide(production)
    assert demo != production


def test_clusters_that_are_one_are_refused_with_the_cure(application, tmp_path):
    """Two contexts, two names, one cluster: told by its uid, and nothing starts in either's environments."""
    with StandIn(tmp_path / "it", seed_of(GRANTS)) as cluster:
        kubeconfig = yaml.safe_load(cluster.kubeconfig.read_bytes())
        (context,) = kubeconfig["contexts"]
        kubeconfig["contexts"].append({**context, "name": "west"})
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        product = application(APART, COUNTERSIGN_KUBECONFIG=str(tmp_path / "kubeconfig"))
        policy = product.policies.current()

        def findings(environment):
            cluster = policy.environments[environment].cluster
            return product.cluster.findings(environment, grants_of(policy, cluster))

        _, _, found = (findings(environment) for environment in ("demo", "prod-eu-1", "demo"))

    start = "demo: The policy says that main and west are different clusters, and they are one ("
    assert [finding.sentence.startswith(start) for finding in found if finding.is_grave] == [True]
    obstacles = {
        name: {hold.obstacle.code for hold in product.clearances.holds(name)} for name in ("demo", "prod-eu-1")
    }
    assert {name: "one_cluster" in codes for name, codes in obstacles.items()} == {"demo": True, "prod-eu-1": True}
