"""What a command loads: help and status answer without the libraries of the service, which take longer than their answers."""

import os
import subprocess
import sys

import pytest

from models.schema import migrate

SERVICES = {
    "aiohttp", "alembic", "apscheduler", "fastapi", "kubernetes", "matplotlib", "numpy", "prometheus_client", "psycopg",
    "requests", "slack_bolt", "slack_sdk", "starlette", "structlog", "urllib3", "uvicorn",
}  # fmt: skip
STORES = {"sqlalchemy", "yaml"}  # Not pydantic: the library that reads command lines takes it for arguments.

TELLING = """
import sys
sys.argv = ["countersign", *sys.argv[1:]]
from bot.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
raise SystemExit(code)
"""


def loaded_by(*command, **settings):
    """Return the packages that a process has loaded when it has answered *command*."""
    ran = subprocess.run(
        [sys.executable, "-c", TELLING, *command],
        env={name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout
    return set(ran.stderr.split())


@pytest.mark.parametrize("command", [["--help"], ["pause", "--help"], ["audit", "--help"]], ids=" ".join)
def test_help_loads_neither_store_nor_service(command):
    """Whoever looks up how to stop something types the stop in the next moment."""
    assert loaded_by(*command) & (SERVICES | STORES) == set()


def test_status_loads_nothing_of_the_service(tmp_path):
    """It reads the policy and the store; no client, server or logger has a part in that."""
    database = f"sqlite:///{tmp_path / 'countersign.db'}"
    migrate.upgrade(database)

    loaded = loaded_by("status", COUNTERSIGN_DATABASE_URL=database, COUNTERSIGN_POLICY="policy.example.yml")

    assert loaded & SERVICES == set()
    assert loaded >= STORES
