"""A strict stand-in for a Slack workspace, on loopback, with a web page to act as its people.

It plays Slack's side of the conversation: the Web API methods the app calls,
Socket Mode or signed HTTP delivery, modals, threads, private notes, and Slack's
refusals. It is not Slack, says so on its page, and imports nothing of ours nor
of Slack's SDK, so that it cannot share our mistakes. ``python -m
sandbox.workspace`` starts one to look at; the demo and the tests make their own::

    workspace = Workspace(default_seed())
    await workspace.start()
    ...  # point the app at workspace.api_url with workspace.bot_token and workspace.app_token
    await workspace.click("U0ADA", "C0PROD", ts, "approve")
    await workspace.stop()
"""

from sandbox.workspace.core import Call
from sandbox.workspace.desk import NotThere
from sandbox.workspace.records import Ephemeral, Message, Outcome, View
from sandbox.workspace.seed import Channel, Command, Seed, User, UserGroup, default_seed
from sandbox.workspace.server import Workspace
from sandbox.workspace.strictness import Strictness
from sandbox.workspace.transport.parcels import HttpMode, SocketMode

__all__ = [
    "Call",
    "Channel",
    "Command",
    "Ephemeral",
    "HttpMode",
    "Message",
    "NotThere",
    "Outcome",
    "Seed",
    "SocketMode",
    "Strictness",
    "User",
    "UserGroup",
    "View",
    "Workspace",
    "default_seed",
]
