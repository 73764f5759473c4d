"""The key names a build: whatever could change a program changes the key."""

import shutil
from dataclasses import replace

import pytest

from sandbox.devcluster import recipe

GO = "go1.26.8"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the package that a test may change."""
    copy = tmp_path / "devcluster"
    shutil.copytree(recipe.SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipe, "SOURCE", copy)
    return copy


def test_the_key_is_stable(source):
    """The same recipe in another place has the same key, so a second clone builds nothing."""
    here = recipe.key(go_version=GO)
    (source / "README.md").write_text("Words change no program.")

    assert (recipe.key(go_version=GO), len(here)) == (here, 16)


@pytest.mark.parametrize(
    "file",
    [
        "controlplane/go.mod",
        "controlplane/go.sum",
        "kwok/go.mod",
        "kwok/go.sum",
        "pki/go.mod",
        "pki/main.go",
        "pki/authority.go",
    ],
)
def test_a_changed_source_changes_the_key(source, file):
    """Module files and our own Go source are in the key, byte for byte."""
    before = recipe.key(go_version=GO)
    with (source / file).open("a") as changed:
        changed.write("\n")

    assert recipe.key(go_version=GO) != before


def test_another_go_changes_the_key():
    """A newer compiler makes other programs."""
    assert recipe.key(go_version="go1.26.8") != recipe.key(go_version="go1.26.9")


def test_how_long_it_usually_takes_is_not_in_the_key(monkeypatch):
    """A figure measured anew makes nobody compile again."""
    before = recipe.key(go_version=GO)
    monkeypatch.setattr(recipe, "PARTS", tuple(replace(part, usual_s=part.usual_s + 1) for part in recipe.PARTS))

    assert recipe.key(go_version=GO) == before


def test_other_flags_change_the_key(monkeypatch):
    """Build flags, linker flags and the list of stages are in the key."""
    keys = {recipe.key(go_version=GO)}

    with monkeypatch.context() as changed:
        changed.setattr(recipe, "BUILD_FLAGS", ("-race",))
        keys.add(recipe.key(go_version=GO))
    with monkeypatch.context() as changed:
        changed.setattr(recipe, "PARTS", recipe.PARTS[:-1])
        keys.add(recipe.key(go_version=GO))
    with monkeypatch.context() as changed:
        changed.setattr(recipe, "STAGE_FILES", recipe.STAGE_FILES[:-1])
        keys.add(recipe.key(go_version=GO))

    assert len(keys) == 4


def test_every_staging_module_is_replaced_by_its_own_release():
    """Kubernetes asks for its staging modules as v0.0.0, which exist nowhere: each needs its replacement."""
    lines = (recipe.SOURCE / "controlplane" / "go.mod").read_text().splitlines()
    asked = {line.split()[0] for line in lines if line.strip().startswith("k8s.io/") and " v0.0.0 " in f"{line} "}
    replaced = {line.split()[0]: line.split()[-1] for line in lines if " => " in line}

    assert asked <= replaced.keys()
    assert set(replaced.values()) == {recipe.VERSION.replace("v1.", "v0.")}
