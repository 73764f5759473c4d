"""``python -m sandbox.workspace``: one stand-in to look at, until Ctrl-C.

Posts one plain message, so that the page is not empty; no app is connected.
"""

import argparse
import asyncio
import signal
import sys

from sandbox.workspace.seed import default_seed
from sandbox.workspace.server import Workspace


def main() -> None:
    """Read the port and run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.workspace", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0, the default, takes a free one")
    port: int = parser.parse_args().port
    asyncio.run(_run(port))


async def _run(port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    workspace = Workspace(default_seed(), port=port)
    await workspace.start()
    workspace.set_status_line("app", "not connected yet")
    workspace.say(
        "U0DINA", "C0PROD", "No app is connected yet. The tokens it needs are printed where this was started."
    )
    lines = {
        "page": workspace.page_url,
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
    }
    sys.stdout.write("Local stand-in for Slack, not Slack. Ctrl-C ends it.\n")
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in lines.items())
    sys.stdout.flush()
    try:
        await ended.wait()
    finally:
        await workspace.stop()


if __name__ == "__main__":
    main()
