"""``python -m sandbox.workspace``: started by itself, it prints where it is, serves, and ends when it is told to."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.fixtures.programs import child


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_by_itself(end):
    """The printed addresses work, the page opens with the printed key, and Ctrl-C or kill end it without a traceback.

    So they do where it was started in the background of a script, whose programs begin with Ctrl-C ignored.
    """
    with child(
        ["env", "--ignore-signal=INT", sys.executable, "-m", "sandbox.workspace"], stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert "not Slack" in process.stdout.readline()
        printed = dict(process.stdout.readline().strip().split(": ", 1) for _ in range(4))
        with urllib.request.urlopen(printed["page"], timeout=10) as response:
            page = response.read().decode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(printed["page"].partition("?")[0], timeout=10)
        refused.value.close()
        process.send_signal(end)
        _, errors = process.communicate(timeout=20)

    assert "Local stand-in, not Slack." in page
    assert refused.value.code == 403
    assert printed["SLACK_BOT_TOKEN"].startswith("xoxb-")
    assert printed["SLACK_APP_TOKEN"].startswith("xapp-")
    assert printed["SLACK_API_URL"].endswith("/api/")
    assert (process.returncode, errors) == (0, "")
