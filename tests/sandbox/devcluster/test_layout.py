"""A cluster's directory: whose it is, what survives in it, and whether its record speaks of a living process."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sandbox.devcluster.errors import StartError
from sandbox.devcluster.layout import Layout, Phase, Started, State, born_at, is_running


def _state(**changes: Any) -> State:
    state = State(phase=Phase.READY, supervisor=os.getpid(), born=born_at(os.getpid()) or 0, build="0123456789abcdef")
    return replace(state, **changes)


def test_a_directory_with_somebody_elses_files_is_refused_and_left_alone(tmp_path):
    """A mistyped --dir must not cost anybody a folder called "logs"."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "precious").write_text("text")

    with pytest.raises(StartError, match="neither empty nor a cluster's directory"):
        Layout(tmp_path).claim()

    assert [path.name for path in tmp_path.rglob("*")] == ["logs", "precious"]


def test_a_claimed_directory_is_private(tmp_path):
    """It will hold an administrator's key, so only its owner may enter."""
    directory = tmp_path / "deep" / "cluster"

    Layout(directory).claim()

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_path_that_is_a_file_is_refused_in_words(tmp_path):
    """No traceback for a mistake of one letter."""
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot use .*file"):
        Layout(tmp_path / "file").claim()


def test_clearing_removes_an_earlier_life_and_nothing_else(tmp_path):
    """Keys, data, logs and kubeconfigs of the last cluster go; a file that somebody put there stays."""
    layout = Layout(tmp_path / "cluster")
    layout.claim()
    layout.clear()
    for path in (layout.key("admin"), layout.kubeconfig, layout.directory / "kwok.kubeconfig", layout.audit_log):
        path.write_text("old")
    (layout.directory / "notes").write_text("kept")

    layout.claim()
    layout.clear()

    assert sorted(path.name for path in layout.directory.rglob("*") if path.is_file()) == [
        ".countersign-devcluster",
        "notes",
    ]


def test_the_record_is_read_as_it_was_written(tmp_path):
    """Every field of the state survives the file, parts included."""
    state = _state(
        server="https://127.0.0.1:1",
        reason="because",
        parts={"etcd": Started(pid=7, health="https://127.0.0.1:2/readyz")},
    )

    Layout(tmp_path).write_state(state)

    assert Layout(tmp_path).read_state() == state


def test_no_record_means_never_started(tmp_path):
    """An empty directory has no state."""
    assert Layout(tmp_path).read_state() is None


@pytest.mark.parametrize("record", ["{}", "[]", "not JSON", '{"parts": {"etcd": {"colour": "red"}}}'])
def test_a_record_of_another_version_is_named(tmp_path, record):
    """What cannot be understood is not taken for "nothing runs here"."""
    (tmp_path / "state.json").write_text(record)

    with pytest.raises(StartError, match="was written by another version"):
        Layout(tmp_path).read_state()


def test_a_living_supervisor_is_running():
    """This process, with its own birth, is alive."""
    assert is_running(_state())


def test_a_process_id_given_to_somebody_else_is_not_running():
    """Same number, other birth: after a reboot it must never be signalled."""
    assert not is_running(_state(born=1))


def test_an_ended_process_that_nobody_collected_is_not_running():
    """A zombie holds its number but does nothing more; waiting for it would never end."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    state = _state(supervisor=process.pid, born=born_at(process.pid))
    alive = is_running(state)
    assert process.stdin is not None

    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert (alive, is_running(state)) == (True, False)
    process.wait()
    assert not is_running(state)
