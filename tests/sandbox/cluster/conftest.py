"""The places where the contract is held, and a stand-in of a test's own."""

from datetime import timedelta

import pytest

from sandbox.cluster import Seed, StandIn, deployment, shop_seed, stateful_set
from tests.sandbox.cluster import places
from tests.sandbox.cluster.wire import Wire


@pytest.fixture(scope="session")
def real_place(request):
    """The contract's accounts and fences in the real cluster, made once a run."""
    return places.real(request.getfixturevalue("real_cluster"))


@pytest.fixture(scope="session")
def stand_in_place(tmp_path_factory):
    """The contract's accounts and fences in a stand-in."""
    with places.stand_in(tmp_path_factory.mktemp("stand-in")) as place:
        yield place


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.cluster)])
def place(request):
    """Each API server that is held to the contract."""
    return request.getfixturevalue("real_place" if request.param == "real" else "stand_in_place")


@pytest.fixture
def stand_in(tmp_path):
    """A stand-in of this test's own, whose rollouts are over at once."""
    seed = Seed(namespaces=("shop",), workloads=(deployment("shop", "checkout"), stateful_set("shop", "ledger")))
    with StandIn(tmp_path, seed, rollout=timedelta(0), lag=timedelta(0)) as cluster:
        yield cluster


@pytest.fixture
def shop(tmp_path):
    """A stand-in with the example seed."""
    with StandIn(tmp_path, shop_seed(), rollout=timedelta(0), lag=timedelta(0)) as cluster:
        yield cluster


@pytest.fixture
def wire(stand_in):
    """Raw HTTP to :func:`stand_in`, as an administrator."""
    return Wire(stand_in.server, token=stand_in.token())
