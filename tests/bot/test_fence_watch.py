"""The watch over fences: what falls, or cannot be seen, stops that cluster, and it goes on by itself once it stands again."""

from datetime import timedelta
from threading import Event

import pytest
from structlog.testing import capture_logs

from approvals.errors import Unavailable
from approvals.policy.policy import NamedCluster
from bot.checks.checking import FIRST_WAIT_SECONDS, Checking
from bot.checks.fence_watch import WATCHED, FenceWatch
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.access import Grant, grants_of
from bot.cluster.rights.checks import ClusterFinding
from bot.health.clearances import FENCES, NOT_CHECKED, Clearances
from bot.health.legs import LegKind, Legs, LegState
from sandbox.cluster import StandIn
from tests.bot.cluster.stages import Stage, StandInGround, seed_of, utc_now
from tests.builders import a_charter, a_policy, an_environment
from tests.fixtures.installation import apply, installed
from tests.waiting import wait_until
from tests.world import HandClock

EU, US = "prod-eu-1", "prod-us-1"
MISSING = ClusterFinding(sentence="The binding is missing. Apply the manifests again.", code="fence_missing")
TOO_MUCH = ClusterFinding(sentence="The account may do too much. Take that away.", code="right_too_many")
POLICY = a_policy(
    clusters={name: NamedCluster(name=name, context=None) for name in ("main", "us")},
    environments={EU: an_environment(), US: an_environment(name=US, cluster="us")},
    charters={"scaler": a_charter(namespaces={EU: frozenset({"shop"}), US: frozenset({"shop"})})},
)


class Seconds:
    """Seconds that a test moves by hand."""

    now = 1000.0

    def __call__(self):
        """Return them."""
        return self.now


class Tower:
    """A watch over two clusters, of which a test says what is found."""

    def __init__(self):
        self.clock, self.seconds = HandClock(), Seconds()
        self.legs = Legs(now=self.clock)
        self.clearances = Clearances(now=self.clock, at_first={FENCES: NOT_CHECKED})
        self.found, self.looks = {}, 0
        self.checking = Checking(clearances=self.clearances, legs=self.legs, monotonic=self.seconds, cadence=WATCHED)
        sources = {EU: Source(kubeconfig=None), US: Source(kubeconfig=None, cluster="us")}
        self.checking.cover(FenceWatch(standing=self._look, sources=lambda _: sources).of(POLICY))

    def _look(self, environment, grants):
        assert grants == grants_of(POLICY, POLICY.environments[environment].cluster)
        self.looks += 1
        found = self.found.get(environment, ())
        if isinstance(found, Exception):
            raise found
        return found() if callable(found) else found

    def after(self, seconds):
        """Let time pass, look at whatever is due, and return the code of what is in the way in each environment."""
        self.seconds.now += seconds
        self.clock.pass_by(timedelta(seconds=seconds))
        self.checking.tick()
        wait_until(self._is_idle, what="the looks have ended")
        return self.obstacles()

    def _is_idle(self):
        with self.checking._lock:
            return not any(one.is_running for one in self.checking._planned.values())

    def wait_for_a_look(self, *, since):
        """Wait until more looks than *since* were made, and what they found is settled in the second cluster."""
        wait_until(lambda: self.looks > since, what="the other cluster is looked at")
        wait_until(lambda: self.obstacles()[US] is None, what="it stands")

    def obstacles(self):
        """Return the code of what is in the way in each environment."""
        found = {name: self.clearances.obstacle(name) for name in (EU, US)}
        return {name: None if one is None else one.code for name, one in found.items()}

    def leg(self, environment):
        """Return how an environment's fences are, and why."""
        (leg,) = [one for one in self.legs.of(LegKind.FENCES) if one.of == environment]
        return leg.state, leg.code, leg.why


@pytest.fixture
def tower():
    """A watch over two clusters in which everything stands."""
    made = Tower()
    yield made
    made.checking.close()


def test_nothing_starts_before_the_fences_were_seen(tower):
    """I18, and one look clears both."""
    assert tower.obstacles() == {EU: "not_checked", US: "not_checked"}
    assert tower.after(0) == {EU: None, US: None}
    assert tower.leg(EU) == (LegState.GOOD, "ok", "")


@pytest.mark.parametrize("finding", [MISSING, TOO_MUCH])
def test_what_falls_later_stops_its_cluster_within_half_a_minute(tower, finding):
    """And no other cluster; the leg tells the cause and the cure; put right, changes start by themselves."""
    tower.after(0)
    tower.found[EU] = (finding,)
    fallen = tower.after(30)
    told = tower.leg(EU)
    tower.found[EU] = ()
    mended = tower.after(FIRST_WAIT_SECONDS)

    assert (fallen, told) == ({EU: finding.code, US: None}, (LegState.FAILING, finding.code, finding.sentence))
    assert mended == {EU: None, US: None}


def test_a_cluster_that_cannot_be_seen_starts_nothing(tower):
    """Unknown is no clearance (I18), from the first look that fails on; the others go on."""
    tower.after(0)
    tower.found[EU] = Unavailable("The cluster does not answer.", code="cluster_unavailable")
    away = tower.after(30)
    told = tower.leg(EU)
    tower.found[EU] = RuntimeError("oops")
    broken = tower.after(FIRST_WAIT_SECONDS)
    del tower.found[EU]

    assert (away, broken) == ({EU: "fences_not_seen", US: None},) * 2
    assert told == (LegState.FAILING, "cluster_unavailable", "The cluster does not answer.")
    assert tower.after(2 * FIRST_WAIT_SECONDS) == {EU: None, US: None}


def test_a_look_that_hangs_costs_its_own_cluster_only(tower):
    """The others are looked at meanwhile; what was seen two minutes ago counts no more, and the leg is silent."""
    tower.after(0)
    let_go = Event()
    tower.found[EU] = lambda: let_go.wait(30) and ()
    tower.seconds.now += 30
    tower.clock.pass_by(timedelta(seconds=30))
    tower.checking.tick()
    for _ in range(4):
        tower.seconds.now += 30
        tower.clock.pass_by(timedelta(seconds=30))
        before = tower.looks
        tower.checking.tick()
        tower.wait_for_a_look(since=before)
    hung, leg = tower.obstacles(), tower.leg(EU)
    let_go.set()

    assert hung == {EU: "fences_not_seen", US: None}
    assert leg[:2] == (LegState.FAILING, "silent")
    wait_until(lambda: tower.obstacles() == {EU: None, US: None}, what="it goes on by itself")


def test_what_is_found_again_and_again_is_logged_once(tower):
    """A fence that lies for a night is one line, and one more when another falls beside it."""
    tower.after(0)
    with capture_logs() as lines:
        for found in [(MISSING,)] * 5 + [(MISSING, TOO_MUCH)] * 5:
            tower.found[EU] = found
            tower.after(30)

    assert [one["code"] for one in lines if one["event"] == "check.found"] == ["fence_missing", "right_too_many"]


# --------------------------------------------------------------------------------------------------- on a real cluster

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def own(real_cluster, tmp_path):
    """An installation of this test's own, to break."""
    with installed(real_cluster, tmp_path) as one:
        yield one


def _codes(one):
    door = KubernetesCluster({EU: one.source}, installation=one.ours, mac_key=b"k", now=utc_now, version="test")
    return {found.code for found in door.standing(EU, one.grants) if found.is_grave}


POLICY_PATH, BINDING_PATH = "validatingadmissionpolicies", "validatingadmissionpolicybindings"
WEAKENED = {
    "a policy lets pass what it cannot judge": (POLICY_PATH, {"failurePolicy": "Ignore"}),
    "a policy spares somebody": (
        POLICY_PATH,
        {"matchConditions": [{"name": "spared", "expression": "request.userInfo.username != 'ada'"}]},
    ),
    "a policy spares a namespace": (
        POLICY_PATH,
        {"matchConstraints": {"namespaceSelector": {"matchLabels": {"x": "y"}}}},
    ),
    "a policy without its rules": (POLICY_PATH, {"validations": [{"expression": "true"}]}),
    "a policy takes parameters": (POLICY_PATH, {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}),
    "a binding only notes": (BINDING_PATH, {"validationActions": ["Audit"]}),
    "a binding spares a namespace": (
        BINDING_PATH,
        {
            "matchResources": {
                "namespaceSelector": {
                    "matchExpressions": [
                        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}
                    ]
                }
            }
        },
    ),
    "a binding for some resources only": (
        BINDING_PATH,
        {
            "matchResources": {
                "resourceRules": [
                    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
                ]
            }
        },
    ),
}


@pytest.mark.cluster
def test_a_weakened_fence_is_seen_and_an_applied_one_again(own):
    """Each way of loosening a policy or its binding, one after the other, and what is generated put back each time."""
    wait_until(lambda: _codes(own) == set(), what="everything stands")
    for what, (kind, change) in WEAKENED.items():
        path = f"{ADMISSION}/{kind}/{own.name}-executors"
        spec = own.admin.get(path)["spec"]
        own.admin.merge(path, {"spec": change})
        wait_until(lambda: _codes(own) == {"fence_missing"}, what=f"it is seen that {what}")
        _put_back(own, path, spec)

        wait_until(lambda: _codes(own) == set(), what="everything stands again")


def _put_back(one, path, spec):
    """Replace a specification; a controller that writes the status meanwhile may be faster."""
    wait_until(
        lambda: one.admin.call("PUT", path, {**one.admin.get(path), "spec": spec})[0] == 200, what="it is put back"
    )


@pytest.mark.cluster
def test_cluster_wide_objects_that_go_or_grow_are_seen(own):
    """A binding bound elsewhere or gone, the inspector's own role with more or less, an account's new right."""
    wait_until(lambda: _codes(own) == set(), what="everything stands")
    path = f"{ADMISSION}/{BINDING_PATH}/{own.name}-users"
    gone = own.admin.get(path)
    own.admin.call("DELETE", path)
    missing = _codes(own)
    apply(own.admin, {"apiVersion": "admissionregistration.k8s.io/v1", **_bare(gone, policy=f"{own.name}-tokens")})
    elsewhere = _codes(own)
    own.admin.call("DELETE", path)
    apply(own.admin, {"apiVersion": "admissionregistration.k8s.io/v1", **_bare(gone)})
    mended = _codes(own)
    role = f"{RBAC}/clusterroles/{own.name}-inspector"
    rules = own.admin.get(role)["rules"]
    own.admin.merge(role, {"rules": [*rules, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]})
    wait_until(lambda: _codes(own) == {"right_too_many"}, what="the right too many is seen")
    own.admin.merge(role, {"rules": rules[:1]})
    wait_until(lambda: _codes(own) == {"right_missing"}, what="that it cannot be seen is a finding")
    own.admin.merge(role, {"rules": rules})
    wait_until(lambda: _codes(own) == set(), what="everything stands")

    assert (missing, elsewhere, mended) == ({"fence_missing"}, {"fence_missing"}, set())


def _bare(found, *, policy=None):
    spec = {**found["spec"], **({} if policy is None else {"policyName": policy})}
    return {"kind": found["kind"], "metadata": {"name": found["metadata"]["name"]}, "spec": spec}


def test_a_look_asks_little(tmp_path):
    """Which cluster it is, the inspector's token and whose it is, and seven lists: however many accounts there are."""
    grants = tuple(Grant(agent=f"agent-{n}", namespace=f"ns-{n}", verbs=("restart", "scale")) for n in range(9))
    with StandIn(tmp_path, seed_of(grants)) as cluster:
        door = Stage.on(StandInGround(cluster, "ns-0")).door
        assert door.standing("here", grants) == ()
        assert len(cluster.requests) == 10
        assert door.standing("here", ()) == ()
