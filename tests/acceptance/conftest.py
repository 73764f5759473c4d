"""What the stories share: the cluster with everything installed in it, and places where the product is installed anew."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sandbox import devcluster
from tests.acceptance.ground import Ground, a_ground
from tests.acceptance.place import POLICY, Place
from tests.acceptance.screen import a_browser
from tests.acceptance.town import Town, a_town
from tests.fixtures.browser import Chromium, chromium

__all__ = ["chromium"]

NewPlace = Callable[[Mapping[str, str]], Place]


@pytest.fixture(scope="package")
def ground(real_cluster: devcluster.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The real cluster with accounts, roles and fences installed."""
    with a_ground(real_cluster, tmp_path_factory.mktemp("ground")) as made:
        yield made


@pytest.fixture(autouse=True)
def _swept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the cluster without the workloads that a story made."""
    yield
    if "ground" in request.fixturenames:
        request.getfixturevalue("ground").sweep()


@pytest.fixture(scope="session")
def new_place(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> NewPlace:
    """A function that makes a place with the given settings: a policy, and a migrated database that holds nothing."""

    def make(settings: Mapping[str, str]) -> Place:
        place = Place(folder=tmp_path_factory.mktemp("place"), settings=settings)
        shutil.copyfile(POLICY, place.policy)
        shutil.copyfile(sqlite_template, place.database)
        return place

    return make


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """A workspace, shared by one module's stories."""
    with a_town() as made:
        yield made


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """A browser, shared by one module's stories."""
    with a_browser(chromium.launch) as made:
        yield made
