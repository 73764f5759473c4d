"""What watches over clocks, ids and the environment is awake, everywhere but at the listed edges."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = {
    "now": "import datetime\nx = datetime.datetime.now(datetime.UTC)\n",
    "now under another name": "from datetime import datetime as d, UTC\nx = d.now(UTC)\n",
    "utcnow": "from datetime import datetime\nx = datetime.utcnow()\n",
    "today": "import datetime\nx = datetime.date.today()\n",
    "epoch": "from time import time\nx = time()\n",
    "sleep": "import time\ntime.sleep(1)\n",
    "uuid4": "import uuid\nx = uuid.uuid4()\n",
    "random": "import random\n",
    "secrets": "from secrets import token_hex\n",
    "urandom": "import os\nx = os.urandom(8)\n",
    "environ": "import os\nx = os.environ['HOME']\n",
    "getenv": "from os import getenv\n",
}


def _is_flagged(text, *, path):
    ruff = str(Path(sys.executable).with_name("ruff"))
    command = [ruff, "check", "--no-cache", "--select", "TID251"]
    result = subprocess.run(
        [*command, "--output-format", "json", "--stdin-filename", path, "-"],
        input=text, capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    return bool(json.loads(result.stdout))


@pytest.mark.parametrize("text", BANNED.values(), ids=BANNED.keys())
@pytest.mark.parametrize(
    "path", ["approvals/workflow/request.py", "models/store/store.py", "bot/slack/inbound/listeners.py"]
)
def test_the_house_reads_no_clock_no_chance_no_environment(text, path):
    """Instants, ids, salts and settings are arguments: asking for them anywhere else fails the lint."""
    assert _is_flagged(text, path=path)


@pytest.mark.parametrize("path", ["bot/clock.py", "bot/settings.py", "sandbox/agent.py", "sandbox/devcluster/ports.py"])
def test_the_edges_may(path):
    """The listed edges are where clocks, chance and the environment come in."""
    assert not _is_flagged("".join(BANNED.values()), path=path)
