"""Fixtures of the cluster door's tests: the real cluster with Countersign installed, and the stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from approvals.verbs.registry import REGISTRY
from sandbox import devcluster
from tests.bot.cluster.stages import AGENT, RealGround, Stage, StandInGround, stand_in
from tests.fixtures.installation import Installation, installed


@pytest.fixture(scope="session")
def installation(real_cluster: devcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Countersign installed on the real cluster, for the agent of these tests; nobody may break it."""
    directory, verbs = tmp_path_factory.mktemp("installation"), tuple(verb.name for verb in REGISTRY)
    with installed(real_cluster, directory, agents=(AGENT,), verbs=verbs) as one:
        yield one


@pytest.fixture
def broken_in(real_cluster: devcluster.Cluster, tmp_path: Path) -> Iterator[Installation]:
    """An installation of this test's own, to break."""
    with installed(real_cluster, tmp_path, agents=(AGENT,)) as one:
        yield one


@pytest.fixture
def real_stage(installation: Installation) -> Stage:
    """A door to the real cluster."""
    return Stage.on(RealGround(installation))


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.cluster), "stand-in"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A door to the real cluster, and to the stand-in: what holds for one has to hold for the other."""
    if request.param == "real":
        yield request.getfixturevalue("real_stage")
        return
    with stand_in(tmp_path) as cluster:
        yield Stage.on(StandInGround(cluster, "shop"))
