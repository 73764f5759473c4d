"""The checks at start: a sound installation has no findings, and each way of being unsound has its own, in plain words."""

import pytest

from approvals.errors import Unavailable
from bot.cluster.access import Grant
from bot.cluster.checks import Finding
from bot.cluster.connections import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.manifests import canary
from tests.bot.cluster import stages
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, on_stage
from tests.bot.cluster.scripted import Answer, status
from tests.bot.cluster.stages import Stage, StandInGround, stand_in, utc_now
from tests.fixtures.installation import Installation
from tests.waiting import wait_until

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
APPLY = "Apply the manifests again (countersign manifests)."
TAKE_AWAY = "Find the binding that lets it (kubectl get rolebindings,clusterrolebindings -A -o wide) and take it away."


def _findings(one: Installation, *, source=None, grants=None, ours=None):
    door = KubernetesCluster(
        {"prod": source or one.source}, installation=ours or one.ours, mac_key=b"k", now=utc_now, version="test"
    )
    return door.findings("prod", grants or one.grants)


def _eventually(one, *sentences, within_s=60.0):
    """Wait until the findings are exactly these: the server needs a moment to notice what was changed."""
    expected = [Finding(sentence=f"prod: {sentence}") for sentence in sentences]
    seen: list[Finding] = []

    def agree():
        seen[:] = _findings(one)
        return seen == expected

    try:
        wait_until(agree, what="the findings", within_s=within_s, every_s=0.2)
    except AssertionError:
        assert seen == expected


def test_what_the_manifests_install_has_no_findings(installation):
    """What is generated and what is checked come from one list, and the real server agrees with it."""
    assert _findings(installation) == ()


def test_the_stand_in_passes_the_same_checks(tmp_path):
    """What the demo starts on is checked like any cluster, and found sound."""
    with stand_in(tmp_path) as cluster:
        door = Stage.on(StandInGround(cluster, "shop")).door

        assert door.findings("here", stages.GRANTS) == ()


def test_an_administrator_is_not_the_bots_account(installation):
    """A kubeconfig that may do anything is refused by name, before anything else is said."""
    source = Source(kubeconfig=installation.cluster.kubeconfig)

    assert _findings(installation, source=source) == (
        Finding(
            sentence=(
                f"prod: the bot's own account is devcluster-admin and should be {installation.bot.username}, which may do "
                "nothing but mint tokens. Give it a kubeconfig of that service account."
            )
        ),
    )


def test_a_kubeconfig_that_cannot_be_used_is_named(installation, tmp_path):
    """The operator is told which file, and why."""
    assert _findings(installation, source=Source(kubeconfig=tmp_path / "none", context="c")) == (
        Finding(
            sentence="The connection to the cluster of prod cannot be used: it is missing or cannot be read. "
            f"It comes from {tmp_path / 'none'} (context c)."
        ),
    )


def _bind(one, account, kind, role, *, namespace):
    binding = {
        "metadata": {"name": f"{one.name}-too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }
    place = f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"
    one.admin.create(place, binding)


def test_an_account_that_may_read_one_secret_is_found(broken_in):
    """A grant of one named Secret answers "no" to "may it read secrets?", and is found all the same."""
    namespace = broken_in.namespace
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["one"]}
    broken_in.admin.create(f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": "s"}, "rules": [rule]})
    account = broken_in.ours.observer("scaler", namespace)
    _bind(broken_in, account, "Role", "s", namespace=namespace)

    _eventually(
        broken_in,
        f"the account {namespace}/{account.name} may also get secrets, only one in {namespace}. {TAKE_AWAY}",
    )


def test_a_grant_in_another_namespace_is_found(broken_in):
    """An executor's rights end at its namespace: one in kube-system is found there."""
    account = broken_in.ours.executor("scaler", "scale", broken_in.namespace)
    rule = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]}
    role = {"metadata": {"name": broken_in.name}, "rules": [rule]}
    broken_in.admin.create(f"{RBAC}/namespaces/kube-system/roles", role)
    _bind(broken_in, account, "Role", broken_in.name, namespace="kube-system")

    _eventually(
        broken_in,
        f"the account {account.namespace}/{account.name} may also patch deployments/scale (apps) in kube-system. {TAKE_AWAY}",
    )


def test_a_bot_that_may_do_anything_is_found_in_every_namespace(broken_in):
    """The bot's own account is held to its list like any other: a cluster-wide grant shows everywhere."""
    _bind(broken_in, broken_in.bot, "ClusterRole", "cluster-admin", namespace=None)
    places = f"{broken_in.namespace}, {broken_in.bot.namespace}, kube-system, default"

    _eventually(
        broken_in,
        f"the bot's own account may also * * (*) in {places}. {TAKE_AWAY}",
        f"the bot's own account may also * * in {places}. {TAKE_AWAY}",
    )


def test_an_account_that_may_do_too_little_is_found(broken_in):
    """What would fail after somebody has approved is said at start."""
    namespace = broken_in.namespace
    account = broken_in.ours.executor("scaler", "scale", namespace)
    binding = f"{RBAC}/namespaces/{namespace}/rolebindings/{account.name}"
    broken_in.admin.call("DELETE", binding)

    _eventually(
        broken_in,
        *(
            f"the account {namespace}/{account.name} may not {verb} {resource} (apps) in {namespace}, and has to. {APPLY}"
            for resource in ("deployments/scale", "statefulsets/scale")
            for verb in ("get", "patch")
        ),
    )


def test_an_account_that_is_missing_is_found(broken_in):
    """A charter names an agent that nobody installed."""
    grant = Grant(agent="medic", namespace=broken_in.namespace, verbs=("restart",))

    findings = _findings(broken_in, grants=(*broken_in.grants, grant))

    assert [finding.sentence for finding in findings] == [
        f"prod: The bot may not mint a token of {broken_in.namespace}/{broken_in.ours.prefix}{name} (403 Forbidden). {APPLY}"
        for name in ("plan-medic", "exec-medic-restart", "watch-medic")
    ]


POLICIES = {
    "planners": ["the account {ns}/{prefix}plan-scaler could write, and must only try out (dry run): {missing}."],
    "executors": [
        "the account {ns}/{prefix}exec-scaler-restart could change what its verb does not: {missing}.",
        "the account {ns}/{prefix}exec-scaler-scale could change what its verb does not: {missing}.",
    ],
    "tokens": [
        "the bot could mint a token of {ns}/{prefix}plan-scaler for an hour: {missing_tokens}, or does not know {bot}."
    ],
}
WORDS = {
    "missing": "an admission policy is missing",
    "missing_tokens": "the admission policy for tokens is missing",
}


@pytest.mark.parametrize(("policy", "sentences"), POLICIES.items(), ids=POLICIES)
def test_a_missing_fence_is_found_by_trying(broken_in, policy, sentences):
    """RBAC cannot show that an admission policy is missing: an attempt that should be refused is let through."""
    broken_in.admin.call("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/{broken_in.name}-{policy}")
    words = [
        sentence.format(ns=broken_in.namespace, prefix=broken_in.ours.prefix, bot=broken_in.bot.username, **WORDS)
        for sentence in sentences
    ]
    path = f"/apis/apps/v1/namespaces/{broken_in.namespace}/deployments/{canary(broken_in.ours)}"
    before = broken_in.admin.get(path)["spec"]

    _eventually(broken_in, *(f"{sentence} {APPLY}" for sentence in words))

    assert broken_in.admin.get(path)["spec"] == before


def test_without_a_canary_the_fences_cannot_be_tried(broken_in):
    """What cannot be tried is not taken for granted."""
    namespace, name = broken_in.namespace, canary(broken_in.ours)
    broken_in.admin.call("DELETE", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    words = f"the Deployment {namespace}/{name}, on which the fences are tried out, is missing. {APPLY}"
    _eventually(broken_in, words, words, words)


# ------------------------------------------------------------------------------------ what no cluster of ours does by itself

GRANTS = (Grant(agent="scaler", namespace="shop", verbs=("scale",)),)


def _reviews(*, allowed=(), incomplete=True):
    """Answer rules reviews with nothing listed, and access reviews with what is *allowed*."""

    def access(request):
        asked = request.body.decode()
        may = any(f'"resource": "{one}"' in asked for one in allowed)
        return Answer(status=201, body={"status": {"allowed": may}})

    rules = Answer(status=201, body={"status": {"incomplete": incomplete}})
    return {("POST", "selfsubjectrulesreviews"): rules, ("POST", "selfsubjectaccessreviews"): access}


def test_where_rights_cannot_be_listed_the_worst_are_asked_one_by_one(tmp_path):
    """Another authorizer takes part: the check says that it is partial, and still finds what must never be."""
    with on_stage(tmp_path, Backstage(odd=_reviews(allowed=("secrets",)))) as (_, door):
        findings = door.findings(ENVIRONMENT, GRANTS)

    who = "prod-eu-1: the bot's own account may also"
    places = "shop, countersign-acme, kube-system, default"
    assert findings[:4] == tuple(
        Finding(sentence=f"{who} {verb} secrets in {places}. {TAKE_AWAY}")
        for verb in ("get", "list", "create", "patch")
    )
    partial = [finding for finding in findings if not finding.is_grave]
    assert partial[0] == Finding(
        sentence="prod-eu-1: what the bot's own account may do cannot be listed in full, because another authorizer takes "
        "part; the most dangerous rights were asked for one by one.",
        is_grave=False,
    )
    assert len(partial) == 4


def test_a_bot_that_the_cluster_does_not_accept_is_told_so(tmp_path):
    """An expired or foreign token at start: one sentence, and what to do."""
    odd = {("POST", "selfsubjectreviews"): status(401, "Unauthorized")}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door):
        assert door.findings(ENVIRONMENT, GRANTS) == (
            Finding(
                sentence="prod-eu-1: the cluster does not accept the bot's own credential (401 Unauthorized). "
                "Give it a kubeconfig with a good one."
            ),
        )


@pytest.mark.parametrize("code", [403, 500])
def test_a_cluster_that_does_not_say_is_not_checked(tmp_path, code):
    """No answer is not a good answer."""
    odd = {("POST", "selfsubjectrulesreviews"): status(code, "Whatever")}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door), pytest.raises(Unavailable):
        door.findings(ENVIRONMENT, GRANTS)


def test_an_environment_without_grants_has_the_bot_checked_only(tmp_path):
    """No agent may act there: nobody's token is minted, and there is no fence to try."""
    backstage = Backstage(odd=_reviews(incomplete=False))
    with on_stage(tmp_path, backstage) as (_, door):
        findings = door.findings(ENVIRONMENT, ())

    assert [finding.sentence for finding in findings] == [
        f"prod-eu-1: the bot's own account may not get namespaces, only kube-system in kube-system, and has to. {APPLY}"
    ]
    assert backstage.minted == []
