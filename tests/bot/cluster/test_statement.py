"""Which cluster answers, held against what the policy says: by its uid, never by the name of a context."""

from pathlib import Path

import pytest

from approvals.errors import Unavailable
from approvals.ports.clearance import Obstacle
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.cluster.rights.statement import Misstated, Statement
from sandbox.cluster import StandIn
from tests.bot.cluster.stages import ENVIRONMENT, GRANTS, Stage, StandInGround, seed_of, stand_in, utc_now, workload
from tests.builders import INSTALLATION

FILE = Path("/k")
EAST, WEST = (Source(kubeconfig=FILE, context=name, cluster=name) for name in ("east", "west"))
ONE, OTHER = "8f3c2a52-7a35-4c7e-9a52-0a4a6e0f7b11", "11111111-7a35-4c7e-9a52-0a4a6e0f7b11"
ONE_CLUSTER = Obstacle(
    code="one_cluster",
    sentence="The policy says that east and west are different clusters, and they are one (8f3c2a52...). Keep one of them under "
    "`clusters:`, let their environments share it, and apply its manifests.",
)
ANOTHER = Obstacle(
    code="another_cluster",
    sentence="The cluster east was 8f3c2a52... when it was first asked, and 11111111... answers in its place now. Nothing starts "
    "there. Let its context lead where it led before, or restart `countersign serve` if the other cluster is meant.",
)


class Told:
    """Keeps what it is told, by cluster."""

    def __init__(self):
        self.last: dict[str, Obstacle | None] = {}

    def __call__(self, source, wrong):
        """Keep it."""
        self.last[source.cluster] = wrong


def _confirm(statement, source, uid):
    try:
        statement.confirm(source, uid)
    except Misstated as wrong:
        return Obstacle(code=wrong.code, sentence=wrong.sentence)
    return None


def test_different_clusters_are_what_the_policy_says():
    """Nothing speaks against it, however often it is asked."""
    told = Told()
    statement = Statement(told)
    statement.hold_to([EAST, WEST])

    assert [_confirm(statement, *each) for each in [(EAST, ONE), (WEST, OTHER), (EAST, ONE)]] == [None] * 3
    assert told.last == {"east": None, "west": None}


def test_two_names_for_one_cluster_are_refused_on_both_sides():
    """Each would be given manifests from half of the truth; whichever is asked first, neither starts anything."""
    told = Told()
    statement = Statement(told)
    statement.hold_to([EAST, WEST])

    assert [_confirm(statement, *each) for each in [(EAST, ONE), (WEST, ONE), (EAST, ONE)]] == [
        None,
        ONE_CLUSTER,
        ONE_CLUSTER,
    ]
    assert told.last == {"east": ONE_CLUSTER, "west": ONE_CLUSTER}


def test_the_same_way_to_the_same_cluster_under_two_names_is_refused():
    """In a pod every cluster without a context is the pod's own."""
    statement = Statement(Told())
    here, there = (Source(kubeconfig=None, cluster=name) for name in ("here", "there"))
    statement.hold_to([here, there])

    assert _confirm(statement, here, ONE) is None
    assert _confirm(statement, there, ONE) is not None


def test_a_policy_that_lets_them_share_is_the_cure():
    """What was learnt of a cluster that the policy does not name any more counts against nobody."""
    statement = Statement(Told())
    statement.hold_to([EAST, WEST])
    _confirm(statement, EAST, ONE)
    assert _confirm(statement, WEST, ONE) == ONE_CLUSTER

    statement.hold_to([EAST])

    assert _confirm(statement, EAST, ONE) is None


def test_another_cluster_in_its_place_is_refused_until_it_is_back():
    """A context that is pointed elsewhere while we serve: what was checked is not what would be changed."""
    told = Told()
    statement = Statement(told)
    statement.hold_to([EAST])
    _confirm(statement, EAST, ONE)

    assert _confirm(statement, EAST, OTHER) == ANOTHER == told.last["east"]
    assert _confirm(statement, EAST, ONE) is None is told.last["east"]


@pytest.fixture
def pointed(tmp_path):
    """Give a door whose kubeconfig leads to one stand-in, and a function that lets it lead to another one."""
    with stand_in(tmp_path / "one") as first, StandIn(tmp_path / "other", seed_of(GRANTS)) as second:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_bytes(first.kubeconfig.read_bytes())
        source = Source(kubeconfig=kubeconfig, context=first.context)
        door = KubernetesCluster(
            {ENVIRONMENT: source}, installation=INSTALLATION, mac_key=b"k" * 32, now=utc_now, version="test"
        )
        door.statement.hold_to([source])

        def elsewhere():
            kubeconfig.write_bytes(second.kubeconfig.read_bytes())
            door.connections.forget(ENVIRONMENT)  # it is read anew once a minute anyway

        yield Stage(ground=StandInGround(first, "shop"), door=door), elsewhere


def test_nothing_is_planned_minted_or_read_back_in_another_cluster(pointed):
    """The approval, the lock and the outcome are of the cluster that was checked; the one that answers now knows none of it."""
    stage, elsewhere = pointed
    target = stage.settled(workload())
    plan = stage.plan("scale", target, replicas=2)

    elsewhere()

    codes = []
    for attempt in (
        lambda: stage.plan("scale", target, replicas=2),
        lambda: stage.send(plan),
        lambda: stage.observe(plan),
    ):
        with pytest.raises(Unavailable) as refused:
            attempt()
        codes.append(refused.value.code)
    assert codes == ["another_cluster"] * 3
    assert [finding.is_grave for finding in stage.door.findings(ENVIRONMENT, GRANTS)] == [True]


def test_after_a_restart_another_cluster_says_nothing_of_a_change_either(pointed):
    """A new process has seen neither: the change itself says in which cluster it was approved."""
    stage, elsewhere = pointed
    plan = stage.plan("scale", stage.settled(workload()), replicas=2)
    elsewhere()
    source = stage.door.connections.source(ENVIRONMENT)
    restarted = KubernetesCluster(
        {ENVIRONMENT: source}, installation=INSTALLATION, mac_key=b"k" * 32, now=utc_now, version="test"
    )

    with pytest.raises(Unavailable) as refused:
        Stage(ground=stage.ground, door=restarted).observe(plan)

    assert refused.value.code == "another_cluster"
