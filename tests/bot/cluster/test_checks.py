"""The checks at start: a sound installation has no findings, and each way of being unsound has its own, in plain words."""

import json

import pytest

from approvals.errors import Unavailable
from approvals.identity.accounts import ServiceAccount
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.access import Grant
from bot.cluster.rights.checks import ClusterFinding
from bot.cluster.rights.manifests import canary, manifests
from sandbox.cluster import StandIn
from tests.bot.cluster import stages
from tests.bot.cluster.backstage import ENVIRONMENT, Backstage, on_stage
from tests.bot.cluster.scripted import Answer, status
from tests.bot.cluster.stages import AGENT, Stage, StandInGround, seed_of, stand_in, utc_now
from tests.builders import INSTALLATION
from tests.fixtures.installation import Installation, installed
from tests.waiting import wait_until

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
APPLY = "Apply the manifests again (countersign manifests)."
TAKE_AWAY = "Take that away."
GONE = "the namespace or the account may be gone or being deleted, or the right may be missing."


def _findings(one: Installation, *, source=None, grants=None, ours=None):
    door = KubernetesCluster(
        {"prod": source or one.source}, installation=ours or one.ours, mac_key=b"k", now=utc_now, version="test"
    )
    return door.findings("prod", grants or one.grants)


def _grave(found):
    return [one.sentence.removeprefix("prod: ") for one in found if one.is_grave]


def _notes(found):
    return [one.sentence.removeprefix("prod: ") for one in found if not one.is_grave]


def _eventually(one, *sentences, within_s=10.0):
    """Wait until exactly this is grave: the server needs a moment to notice what was changed."""
    expected = list(sentences)
    seen: list[str] = []

    def agree():
        seen[:] = _grave(_findings(one))
        return seen == expected

    try:
        wait_until(agree, what="the findings", within_s=within_s, every_s=0.2)
    except AssertionError:
        assert seen == expected


def test_what_the_manifests_install_has_no_findings(installation):
    """What is generated and what is checked come from one list, and the real server agrees with it."""
    assert _grave(_findings(installation)) == []


def test_the_stand_in_passes_the_same_checks(tmp_path):
    """What the demo starts on is checked like any cluster, and found sound."""
    with stand_in(tmp_path) as cluster:
        door = Stage.on(StandInGround(cluster, "shop")).door

        assert door.findings("here", stages.GRANTS) == ()


def test_an_administrator_is_not_the_bots_account(installation):
    """A kubeconfig that may do anything is refused by name, before anything else is said."""
    source = Source(kubeconfig=installation.cluster.kubeconfig)

    assert _findings(installation, source=source) == (
        ClusterFinding(
            sentence=(
                f"prod: the bot's own account is devcluster-admin and should be {installation.bot.username}, which may do "
                "nothing but mint tokens. Give it a kubeconfig of that service account."
            )
        ),
    )


def test_a_kubeconfig_that_cannot_be_used_is_named(installation, tmp_path):
    """Nothing can be asked; operators are told why, and where, and nobody else is."""
    with pytest.raises(Unavailable) as caught:
        _findings(installation, source=Source(kubeconfig=tmp_path / "none", context="c"))
    assert caught.value.sentence == "The connection to the cluster of prod cannot be used; its operators are told why."
    assert str(tmp_path / "none") in caught.value.for_operators


def _bind(one, kind, role, *subjects, namespace, name="too-much"):
    """Bind a role to *subjects*, each a service account or what the API calls a subject; return the binding's words."""
    binding = {
        "metadata": {"name": f"{one.name}-{name}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [
            {"kind": "ServiceAccount", "name": who.name, "namespace": who.namespace}
            if isinstance(who, ServiceAccount)
            else {"apiGroup": "rbac.authorization.k8s.io", **who}
            for who in subjects
        ],
    }
    place = f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"
    one.admin.create(place, binding)
    where = f"RoleBinding {namespace}/" if namespace else "ClusterRoleBinding "
    return f"{where}{one.name}-{name} ({kind} {role})"


@pytest.fixture
def unbound(broken_in):
    """Take the test's cluster-wide bindings away again, which the other tests' accounts would be held by."""
    yield broken_in
    for kind in ("clusterrolebindings", "clusterroles"):
        broken_in.admin.call("DELETE", f"{RBAC}/{kind}/{broken_in.name}-too-much")


def test_an_account_that_may_read_one_secret_is_found(broken_in):
    """A grant of one named Secret answers "no" to "may it read secrets?", and is found all the same."""
    namespace = broken_in.namespace
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["one"]}
    broken_in.admin.create(f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": "s"}, "rules": [rule]})
    account = broken_in.ours.observer("scaler", namespace)
    binding = _bind(broken_in, "Role", "s", account, namespace=namespace)

    _eventually(
        broken_in,
        f"the account {namespace}/{account.name} may also get secrets, only one in {namespace}, by the {binding}. {TAKE_AWAY}",
    )


def test_an_administrator_of_a_namespace_without_agents_is_found(broken_in):
    """An executor's rights end at its namespace, and one that is an administrator anywhere else is found there."""
    elsewhere = f"{broken_in.name}-elsewhere"
    broken_in.admin.create("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    account = broken_in.ours.executor("scaler", "scale", broken_in.namespace)
    binding = _bind(broken_in, "ClusterRole", "admin", account, namespace=elsewhere)

    wait_until(lambda: _grave(_findings(broken_in)), what="it is found", within_s=10)

    (found,) = _grave(_findings(broken_in))
    assert found.startswith(f"the account {account.namespace}/{account.name} may also ")
    assert found.endswith(f" more in {elsewhere}, by the {binding}. {TAKE_AWAY}")


@pytest.mark.parametrize("group", ["system:serviceaccounts", "system:serviceaccounts:{ns}", "system:authenticated"])
def test_a_group_that_our_accounts_are_in_is_found(unbound, group):
    """A grant to all accounts, to all of a namespace, or to whoever is logged in is theirs as well."""
    one = unbound
    rule = {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}
    one.admin.create(f"{RBAC}/clusterroles", {"metadata": {"name": f"{one.name}-too-much"}, "rules": [rule]})
    subject = {"kind": "Group", "name": group.format(ns=one.namespace)}
    binding = _bind(one, "ClusterRole", f"{one.name}-too-much", subject, namespace=None)
    ns, bot = one.namespace, one.bot.namespace
    ours = [
        f"the account {ns}/{one.name}-{name}"
        for name in ("plan-scaler", "exec-scaler-restart", "exec-scaler-scale", "watch-scaler")
    ]
    if "{ns}" not in group:
        ours = ["the bot's own account", f"the account {bot}/{one.name}-inspect", *ours]
    who = f"{', '.join(ours[:5])}{' and 1 more' if len(ours) > 5 else ''}"

    _eventually(one, f"{who} may also list events in the whole cluster, by the {binding}. {TAKE_AWAY}")


def test_a_bot_that_may_do_anything_is_found(unbound):
    """The bot's own account is held to its list like any other, whatever kind of subject names it."""
    subject = {"kind": "User", "name": unbound.bot.username}
    binding = _bind(unbound, "ClusterRole", "cluster-admin", subject, namespace=None)

    _eventually(
        unbound, f"the bot's own account may also * * (*), * * in the whole cluster, by the {binding}. {TAKE_AWAY}"
    )


def test_an_account_that_may_do_too_little_is_found(broken_in):
    """What would fail after somebody has approved is said at start, once."""
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
    """A charter names an agent that nobody installed: its accounts, and the right to mint them."""
    grant = Grant(agent="medic", namespace=broken_in.namespace, verbs=("restart",))

    found = _grave(_findings(broken_in, grants=(*broken_in.grants, grant)))

    assert [sentence for sentence in found if "mint" in sentence] == [
        f"The bot cannot mint a token of {broken_in.namespace}/{broken_in.name}-{name} (403 Forbidden): {GONE} {APPLY}"
        for name in ("plan-medic", "exec-medic-restart", "watch-medic")
    ]


def test_a_namespace_that_is_not_there_is_named(broken_in):
    """Rather than each account in it alone."""
    grant = Grant(agent="scaler", namespace="nowhere", verbs=("scale",))

    found = _grave(_findings(broken_in, grants=(*broken_in.grants, grant)))

    assert "there is no namespace nowhere. Make it, and apply the manifests again." in found


def test_without_an_inspector_nothing_can_be_computed(broken_in):
    """It is said, with what to do, and nothing starts."""
    broken_in.admin.call("DELETE", f"{RBAC}/clusterrolebindings/{broken_in.name}-inspector")
    place = broken_in.bot.namespace

    _eventually(
        broken_in,
        f"the account {place}/{broken_in.name}-inspect may not list what the cluster grants (403 Forbidden). {APPLY}",
    )

    broken_in.admin.call("DELETE", f"/api/v1/namespaces/{place}/serviceaccounts/{broken_in.name}-inspect")
    _eventually(
        broken_in, f"The bot cannot mint a token of {place}/{broken_in.name}-inspect (404 NotFound): {GONE} {APPLY}"
    )


POLICIES = ("planners", "tokens", "executors", "minters", "users")
TRIED = {
    "planners": ["the account {ns}/{name}-plan-scaler could write, and must only try out (dry run): {missing}."],
    "executors": [
        "the account {ns}/{name}-exec-scaler-restart could change what its verb does not: {missing}.",
        "the account {ns}/{name}-exec-scaler-scale could change what its verb does not: {missing}.",
    ],
    "tokens": [
        "the bot could mint a token of {ns}/{name}-plan-scaler for an hour: {missing_tokens}, or does not know {bot}."
    ],
}
WORDS = {
    "missing": "an admission policy is missing",
    "missing_tokens": "the admission policy for tokens is missing",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_missing_fence_is_found_by_comparing_and_by_trying(broken_in, policy):
    """It is not in the list; and an attempt that should be refused is let through, which changes nothing."""
    broken_in.admin.call("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/{broken_in.name}-{policy}")
    words = [f"the binding of the admission policy {broken_in.name}-{policy} is missing."]
    words += [
        sentence.format(ns=broken_in.namespace, name=broken_in.name, bot=broken_in.bot.username, **WORDS)
        for sentence in TRIED.get(policy, ())
    ]
    path = f"/apis/apps/v1/namespaces/{broken_in.namespace}/deployments/{canary(broken_in.ours)}"
    before = broken_in.admin.get(path)["spec"]

    _eventually(broken_in, *(f"{sentence} {APPLY}" for sentence in words))

    assert broken_in.admin.get(path)["spec"] == before


WEAKENED = {
    "without StatefulSets": ("policies", "executors", {"variables": None}, "validations, variables"),
    "lets pass what it cannot judge": ("policies", "executors", {"failurePolicy": "Ignore"}, "failurePolicy"),
    "exact versions only": ("policies", "planners", {"matchConstraints": {"matchPolicy": "Exact"}}, "matchConstraints"),
    "spares some objects": (
        "policies",
        "users",
        {"matchConstraints": {"objectSelector": {"matchLabels": {"x": "y"}}}},
        "matchConstraints",
    ),
    "warns only": ("policybindings", "minters", {"validationActions": ["Warn"]}, "validationActions"),
    "audits only": ("policybindings", "tokens", {"validationActions": ["Audit"]}, "validationActions"),
    "spares a namespace": (
        "policybindings",
        "executors",
        {"matchResources": {"namespaceSelector": {"matchLabels": {"x": "y"}}}},
        "matchResources",
    ),
}


def _without_stateful_sets(spec):
    """Return what makes a specification one that knows no StatefulSet."""
    variables = [one for one in spec["variables"] if "statefulsets" not in one["name"]]
    text = json.dumps(spec["validations"])
    for one in spec["variables"]:
        if "statefulsets" in one["name"]:
            text = text.replace(f"variables.{one['name']}", "false")
    return {"variables": variables, "validations": json.loads(text)}


@pytest.mark.parametrize(("kind", "policy", "patch", "fields"), WEAKENED.values(), ids=WEAKENED)
def test_a_weakened_fence_is_found_without_trying(broken_in, kind, policy, patch, fields):
    """One sample would be refused all the same: the policy or its binding is compared whole, and the fields are named."""
    path = f"{ADMISSION}/validatingadmission{kind}/{broken_in.name}-{policy}"
    if "variables" in patch:
        patch = _without_stateful_sets(broken_in.admin.get(path)["spec"])
    broken_in.admin.merge(path, {"spec": patch})
    what = "binding of the admission policy" if kind == "policybindings" else "admission policy"

    found = _grave(_findings(broken_in))

    assert found[0] == (
        f"the {what} {broken_in.name}-{policy} is not the generated one (it differs in {fields}). {APPLY}"
    )


def test_who_else_gets_past_the_fences_is_said(broken_in):
    """Impersonation, the bot's own namespace, the policies themselves: by whom and by which binding; nothing is refused."""
    namespace, bot = broken_in.namespace, broken_in.bot.namespace
    agent = ServiceAccount(namespace=namespace, name="agent")
    editing = _bind(
        broken_in, "ClusterRole", "edit", agent, {"kind": "User", "name": "ada"}, namespace=namespace, name="e"
    )
    inside = _bind(broken_in, "ClusterRole", "edit", {"kind": "Group", "name": "ops"}, namespace=bot, name="b")

    notes = _notes(_findings(broken_in))

    (impersonating,) = [one for one in notes if "impersonate accounts of ours or" in one]
    assert not [one for one in notes if "userextras" in one], "the cluster's administrators are no news"
    (becoming,) = [one for one in notes if "become the bot's own account" in one]
    assert f"the account {namespace}/agent, the user ada, by the {editing}" in impersonating
    assert f"the group ops, by the {inside}" in impersonating
    assert f"the group ops, by the {inside}" in becoming
    assert "ada" not in becoming
    assert _grave(_findings(broken_in)) == []


def test_without_a_canary_the_fences_cannot_be_tried(broken_in):
    """What cannot be tried is not taken for granted."""
    namespace, name = broken_in.namespace, canary(broken_in.ours)
    broken_in.admin.call("DELETE", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    words = f"the Deployment {namespace}/{name}, on which the fences are tried out, is missing. {APPLY}"
    _eventually(broken_in, words, words, words)


def test_a_verb_of_another_kind_is_tried_on_an_object_of_that_kind(real_cluster, tmp_path):
    """An agent that may only set an autoscaler's bounds has an autoscaler as its canary, which is off and is missed."""
    with installed(real_cluster, tmp_path, agents=(AGENT,), verbs=("hpa_bounds",)) as one:
        found = _grave(_findings(one))
        one.admin.call(
            "DELETE", f"/apis/autoscaling/v2/namespaces/{one.namespace}/horizontalpodautoscalers/{canary(one.ours)}"
        )

        place = f"the HorizontalPodAutoscaler {one.namespace}/{canary(one.ours)}"
        words = f"{place}, on which the fences are tried out, is missing. {APPLY}"
        _eventually(one, words, words)
        assert found == []


def test_a_missing_fence_of_another_kind_is_found_by_trying(real_cluster, tmp_path):
    """Without the policy for executors the autoscaler's fence lets the trial pass, and that is told."""
    with installed(real_cluster, tmp_path, agents=(AGENT,), verbs=("hpa_bounds",)) as one:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            one.admin.call("DELETE", f"{ADMISSION}/{kind}/{one.name}-executors")
        account = f"{one.namespace}/{one.ours.executor(AGENT, 'hpa_bounds', one.namespace).name}"
        policy = f"{one.name}-executors"

        _eventually(
            one,
            f"the admission policy {policy} is missing. {APPLY}",
            f"the binding of the admission policy {policy} is missing. {APPLY}",
            f"the account {account} could change what its verb does not: an admission policy is missing. {APPLY}",
        )


# ------------------------------------------------------------------------------------ what no cluster of ours does by itself

GRANTS = (Grant(agent="scaler", namespace="shop", verbs=("scale",)),)


def _lists(documents):
    """Answer the inspector's lists with what the manifests install."""
    places = {"Role": "/roles", "RoleBinding": "/rolebindings", "ClusterRole": "/clusterroles"}
    places |= {"ClusterRoleBinding": "/clusterrolebindings", "Namespace": "/namespaces"}
    places |= {"ValidatingAdmissionPolicy": "/validatingadmissionpolicies"}
    places |= {"ValidatingAdmissionPolicyBinding": "/validatingadmissionpolicybindings"}
    documents = [*documents, {"kind": "Namespace", "metadata": {"name": "shop"}}]
    return {
        ("GET", ending): Answer(body={"items": [one for one in documents if one["kind"] == kind]})
        for kind, ending in places.items()
    }


def _reviews(*, allowed=(), incomplete=True):
    """Answer rules reviews with nothing listed, and access reviews with what is *allowed*."""

    def access(request):
        asked = request.body.decode()
        may = any(f'"resource": "{one}"' in asked for one in allowed)
        return Answer(status=201, body={"status": {"allowed": may}})

    rules = Answer(status=201, body={"status": {"incomplete": incomplete}})
    return {
        **_lists(manifests(GRANTS, INSTALLATION)),
        ("POST", "selfsubjectrulesreviews"): rules,
        ("POST", "selfsubjectaccessreviews"): access,
    }


def test_where_rights_cannot_be_listed_the_worst_are_asked_one_by_one(tmp_path):
    """Another authorizer takes part: the check says that it is partial, and still finds what must never be."""
    with on_stage(tmp_path, Backstage(odd=_reviews(allowed=("secrets",)))) as (_, door):
        findings = door.findings(ENVIRONMENT, GRANTS)

    who = "prod-eu-1: the bot's own account may also"
    told = "in shop, countersign-acme, kube-system, and no binding says so: another authorizer of this cluster does."
    assert [one for one in findings if "the bot's own account may also" in one.sentence] == [
        ClusterFinding(sentence=f"{who} {verb} secrets {told} Take it away there.")
        for verb in ("get", "list", "create", "patch")
    ]
    assert [finding for finding in findings if not finding.is_grave] == [
        ClusterFinding(
            sentence="prod-eu-1: what 4 of 4 accounts may do cannot be listed in full, because another authorizer takes "
            "part; the most dangerous rights were asked for one by one.",
            is_grave=False,
        )
    ]


def test_what_an_account_does_not_know_of_itself_is_found(tmp_path):
    """The bindings say that it may, its own review that it may not: the second witness counts."""
    with on_stage(tmp_path, Backstage(odd=_reviews(incomplete=False))) as (_, door):
        found = [one.sentence for one in door.findings(ENVIRONMENT, GRANTS)]

    assert (
        f"prod-eu-1: the account shop/countersign-acme-watch-scaler may not get deployments (apps) in shop, and has to. {APPLY}"
        in found
    )


def test_a_start_asks_little_for_many_accounts(tmp_path):
    """Seven lists, three calls an account, and each policy tried once: not a review of everybody in every namespace."""
    grants = [
        Grant(agent=f"agent-{agent}", namespace=f"ns-{place}", verbs=("restart", "scale"))
        for agent in range(3)
        for place in range(4)
    ]
    with StandIn(tmp_path, seed_of(tuple(grants))) as cluster:
        door = Stage.on(StandInGround(cluster, "ns-0")).door

        assert door.findings("here", grants) == ()

        asked = len(cluster.requests)

    accounts, lists, tried, bot, inspector = 12 * 4, 7, 4, 2 + 6, 2
    assert asked == 3 * accounts + lists + tried + bot + inspector


@pytest.mark.parametrize("code", [403, 500])
def test_a_list_that_is_not_given_is_no_good_list(tmp_path, code):
    """Without one of the lists nothing is computed: a refusal is a finding, no answer is none."""
    odd = {**_reviews(), ("GET", "/rolebindings"): status(code, "Whatever")}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door):
        if code == 500:
            with pytest.raises(Unavailable):
                door.findings(ENVIRONMENT, GRANTS)
            return
        found = [one.sentence for one in door.findings(ENVIRONMENT, GRANTS)]

    assert found == [
        "prod-eu-1: the account countersign-acme/countersign-acme-inspect may not list what the cluster grants (403 Whatever). "
        + APPLY
    ]


def test_lists_are_read_in_pages(tmp_path):
    """A cluster may have more bindings than one reply should hold: what is on another page counts as well."""
    listed = _reviews()[("GET", "/rolebindings")].body["items"]

    def paged(request):
        page = int(request.query.get("continue", 0))
        more = str(page + 1) if page + 1 < len(listed) else ""
        return Answer(body={"metadata": {"continue": more}, "items": listed[page : page + 1]})

    found = []
    for odd in ({}, {("GET", "/rolebindings"): paged}):
        with on_stage(tmp_path, Backstage(odd={**_reviews(incomplete=False), **odd})) as (_, door):
            found.append(door.findings(ENVIRONMENT, GRANTS))

    assert found[0] == found[1]


def test_a_list_without_an_end_is_no_answer(tmp_path):
    """A server that always has one more page is given up on."""
    odd = {**_reviews(), ("GET", "/rolebindings"): Answer(body={"metadata": {"continue": "more"}, "items": []})}
    with (
        on_stage(tmp_path, Backstage(odd=odd)) as (_, door),
        pytest.raises(Unavailable, match="lists more than can be looked through"),
    ):
        door.findings(ENVIRONMENT, GRANTS)


def test_a_bot_that_the_cluster_does_not_accept_is_told_so(tmp_path):
    """An expired or foreign token at start: one sentence, and what to do."""
    odd = {("POST", "selfsubjectreviews"): status(401, "Unauthorized")}
    with on_stage(tmp_path, Backstage(odd=odd)) as (_, door):
        assert door.findings(ENVIRONMENT, GRANTS) == (
            ClusterFinding(
                sentence="prod-eu-1: the cluster does not accept the bot's own credential (401 Unauthorized). "
                "Give it a kubeconfig with a good one."
            ),
        )


@pytest.mark.parametrize("code", [403, 500])
def test_a_cluster_that_does_not_say_is_not_checked(tmp_path, code):
    """No answer is not a good answer."""
    odd = {**_reviews(), ("POST", "selfsubjectrulesreviews"): status(code, "Whatever")}
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
