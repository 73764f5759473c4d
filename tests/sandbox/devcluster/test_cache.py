"""Where everything lies."""

from pathlib import Path

import pytest

from sandbox.devcluster import cache


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"COUNTERSIGN_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a/devcluster"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/countersign/devcluster"),
        ({"XDG_CACHE_HOME": "not/absolute"}, "/home/somebody/.cache/countersign/devcluster"),
        ({"XDG_CACHE_HOME": "", "COUNTERSIGN_CACHE": ""}, "/home/somebody/.cache/countersign/devcluster"),
        ({}, "/home/somebody/.cache/countersign/devcluster"),
    ],
    ids=["named", "XDG", "XDG relative", "empty", "default"],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, variables, expected):
    """COUNTERSIGN_CACHE wins over the XDG folder, that over ~/.cache."""
    for name in ("COUNTERSIGN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert (cache.root(), cache.persistent_directory()) == (Path(expected), Path(expected) / "cluster")
