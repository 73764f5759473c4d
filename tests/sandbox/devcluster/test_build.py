"""Building once: what lands in the cache, what does not, and what a person is told."""

import json
import re
import threading

import pytest

from sandbox.devcluster import build, cache, recipe
from sandbox.devcluster.errors import BuildError, NotBuilt
from tests.waiting import wait_until

PACKAGES = [part.package for part in recipe.PARTS]


def quiet(_line):
    """Swallow progress."""


@pytest.fixture
def go(fake_go, cache_root):
    """A Go that can build everything, and an empty cache."""
    fake_go.has_stages(recipe.STAGE_FILES)
    return fake_go


def test_a_build_puts_every_program_and_stage_into_the_cache(go, cache_root):
    """The folder named by the key holds the six programs, KWOK's stages and a record; and nothing else is left."""
    programs = build.build(quiet)

    assert programs.directory == cache_root / recipe.key(go_version="go1.26.8")
    assert {part.name: programs.path(part.name).read_text() for part in recipe.PARTS} == {
        part.name: part.package for part in recipe.PARTS
    }
    assert [path.read_text() for path in programs.stage_files()] == [f"# {file}\n" for file in recipe.STAGE_FILES]
    record = json.loads((programs.directory / "built.json").read_text())
    assert (record["kubernetes"], record["go"], list(record["seconds"])) == (
        recipe.VERSION,
        "go1.26.8",
        [part.name for part in recipe.PARTS],
    )
    assert {path.name for path in cache_root.iterdir()} == {programs.directory.name, "build.lock"}


def test_a_second_build_compiles_nothing(go):
    """What is in the cache is returned at once, without a word of progress."""
    first = build.build(quiet)
    said: list[str] = []

    assert build.build(said.append) == first == build.programs()
    assert (go.built(), said) == (PACKAGES, [])


def test_progress_names_the_part_and_how_many_there_are(go, monkeypatch):
    """A person sees which of how many parts is being built, how long that usually takes, and that it still goes on."""
    said: list[str] = []
    monkeypatch.setattr(build, "_SIGN_OF_LIFE_SECONDS", 0.01)

    build.build(said.append)

    parts = [re.sub(r" in \d+ s$", " in a time", line) for line in said]
    assert said[0] == f"building Kubernetes {recipe.VERSION} with go1.26.8: usually 8 min on two cores the first time"
    assert [line for line in parts if line.startswith(("[1/7] etcd ... usually", "[7/7] pki done"))] == [
        "[1/7] etcd ... usually 57 s",
        "[7/7] pki done in a time",
    ]
    assert any(re.fullmatch(r"\[2/7\] kube-apiserver \.\.\. \d+ s of usually 4 min", line) for line in said)


def test_a_build_that_fails_leaves_no_result(go, cache_root):
    """Half a set of programs is none: the next build starts over, and is_built says no until then."""
    go.fails("cannot find module")

    with pytest.raises(BuildError, match="cannot find module"):
        build.build(quiet)

    assert (build.is_built(), [path.name for path in cache_root.iterdir()]) == (False, ["build.lock"])
    go.works()
    build.build(quiet)
    assert build.is_built()


def test_what_a_killed_build_left_is_not_taken_for_a_result(go, cache_root):
    """A folder under construction has another name; the next build removes it."""
    partial = cache_root / f"{recipe.key(go_version='go1.26.8')}.partial"
    (partial / "bin").mkdir(parents=True)
    (partial / "bin" / "stale").touch()

    assert not build.is_built()
    programs = build.build(quiet)

    assert not partial.exists()
    assert not programs.path("stale").exists()


def test_two_builds_at_once_compile_once(go):
    """The second waits for the first, says so, and uses its result."""
    go.hold()
    said: list[str] = []
    results: list[build.Programs] = []
    threads = [threading.Thread(target=lambda: results.append(build.build(said.append))) for _ in range(2)]

    for thread in threads:
        thread.start()
    wait_until(lambda: "another build is running; waiting for it" in said, what="the second build waits")
    go.release()
    for thread in threads:
        thread.join(timeout=30)

    assert (len(results), len(set(results)), go.built()) == (2, 1, PACKAGES)


def test_waiting_builds_nothing(go):
    """Whoever only waits gets yes once another's build is done, and no where nobody builds."""
    said: list[str] = []
    nobody_builds = build.wait(said.append)
    go.hold()
    builder = threading.Thread(target=build.build, args=(quiet,))
    builder.start()
    wait_until(go.has_begun, what="the build begins")
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(build.wait(said.append)))

    waiter.start()
    wait_until(lambda: said == ["waiting for the cluster to be built"], what="somebody waits")
    go.release()
    for thread in (waiter, builder):
        thread.join(timeout=30)

    assert (nobody_builds, answers, go.built()) == (False, [True], PACKAGES)


def test_an_interrupted_build_ends_its_compiler_and_cleans_up(go, cache_root, monkeypatch):
    """Ctrl-C during a long compilation leaves neither a compiler running nor half a result."""
    monkeypatch.setattr(build, "_SIGN_OF_LIFE_SECONDS", 0.01)
    go.hold()

    def interrupt(line: str) -> None:
        if line.startswith(f"[1/{len(recipe.PARTS)}] etcd ... "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.build(interrupt)

    assert [path.name for path in cache_root.iterdir()] == ["build.lock"]
    go.release()
    build.build(quiet)
    assert build.is_built()


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("write /tmp/x: no space left on device", "about 5 GB"),
        ("dial tcp: lookup modules.example: no such host", "set GOPROXY to a mirror"),
        ("proxyconnect tcp: EOF", "HTTPS_PROXY"),
        ("k8s.io/api@v0.36.1: verifying module: checksum mismatch", "do not use it"),
        ("compile: signal: killed", "about 2 GB must be free"),
    ],
)
def test_known_faults_come_with_what_to_do(said, advice):
    """The last words of Go are shown, and next to them the way out."""
    message = build.explain(f"go: downloading\n{said}\n")

    assert said in message
    assert advice in message


def test_an_unknown_fault_is_shown_without_advice():
    """Nobody is sent looking in the wrong place; a long log is cut to its end."""
    message = build.explain("\n".join(f"line {number}" for number in range(100)))

    assert message == "\n".join(["the build failed:", *(f"line {number}" for number in range(85, 100))])


def test_what_is_not_built_names_the_command(go, cache_root):
    """Whoever needs the programs is told the exact line to run."""
    with pytest.raises(NotBuilt, match=r"run: python3 -m sandbox\.devcluster build"):
        build.programs()

    assert not cache_root.exists()


def test_a_cache_that_cannot_be_written_is_named(go, cache_root):
    """A file where the folder should be, or a full disk, ends in one sentence."""
    cache_root.parent.mkdir(parents=True)
    cache_root.write_text("in the way")

    with pytest.raises(BuildError, match=f"cannot build into {cache.root()}.*\nWhat to do: make room"):
        build.build(quiet)
