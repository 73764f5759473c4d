"""A process that stands still in a transaction: how long anybody else waits for what it holds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from models.engine.database import IDLE_WRITER_SECONDS

_ROOT: Final = Path(__file__).resolve().parents[1]

_HOLDS_THE_GATE: Final = """
import os, signal, sys
from models.engine.database import open_database
from tests.fixtures.stores import a_store
with a_store(open_database(sys.argv[1])).writing() as uow:
    uow.lock_gate(exclusive=False)
    uow.lock_environment(sys.argv[2])
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def gate_held_by_a_stopped_process(url: str, environment: str) -> Iterator[None]:
    """Have a process stand still for the length of the block, in a transaction that holds the gate and an environment's lock.

    Woken at the end, it commits nothing: the server has ended its transaction.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS_THE_GATE, url, environment], cwd=_ROOT, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), "it holds the gate and stands still"
            begun = time.monotonic()
            yield
            stood_still = time.monotonic() - begun
            process.send_signal(signal.SIGCONT)
            code = process.wait(30)
        finally:
            process.kill()
    assert code != 0 or stood_still < IDLE_WRITER_SECONDS, (
        "what stood still in its transaction for longer commits nothing"
    )
