"""Show: the demo from its first line to Ctrl-C. Real Slack tokens and the environment's settings are never looked at.

The order: a folder with a policy and a migrated database; the cluster; the workspace and its page; the service, as ``serve`` runs
it; then the agent, whose pleas arrive as cards. One of their targets is changed by somebody else after its card was posted.
"""

import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Final

from approvals.identity.tokens import TokenKind
from bot import clock
from bot.cli.parts import DemoWishes
from bot.policies import read_policy
from bot.settings import Settings, SlackSettings
from bot.wiring.product import Product
from sandbox.agent import Agent, Gone, Plea, demo_pleas
from sandbox.demo.clusters import DemoCluster, a_cluster
from sandbox.workspace import Workspace

POLICY: Final = Path(__file__).with_name("policy.yml")
ENVIRONMENT: Final = "demo"
CHANNEL: Final = "C0PROD"
_NAMED: Final = re.compile(r"^installation: (demo[0-9a-f]*)$", re.MULTILINE)
REQUESTER: Final = "T0COUNTERSIGN:U0CHEN"
BETWEEN_PLEAS_SECONDS: Final = 4.0
"""So that one sees the cards arrive."""

CHANGED_TO: Final = 4
"""What somebody sets the last plea's target to, behind everybody's back."""

CARD_SECONDS: Final = 60.0
FOLLOW_SECONDS: Final = 3600.0

Make = Callable[[Settings], Product]


def show(wishes: DemoWishes, *, make: Make) -> int:
    """Run the demo until it is told to stop, and return the exit code.

    Raises:
        Malformed: The cluster that was named cannot be used, or a typed yes was not given.
    """
    with _folder(wishes.directory) as folder:
        policy, _ = read_policy(write_policy(folder))
        _say("Preparing the cluster ...")
        with a_cluster(folder, policy, kubeconfig=wishes.kubeconfig, context=wishes.context) as cluster:
            return asyncio.run(_run(folder, cluster, wishes, make))


def write_policy(folder: Path) -> Path:
    """Write the demo's policy into *folder*, under a name of this demo's own, and return the file.

    No installation and no other demo on the same cluster has the name, so none is taken for another. A folder keeps its name.
    """
    file = folder / "policy.yml"
    kept = _NAMED.search(file.read_text()) if file.exists() else None
    name = kept[1] if kept else f"demo{clock.new_key().hex()[:8]}"
    file.write_text(_NAMED.sub(f"installation: {name}", POLICY.read_text()))
    return file


def own_command() -> str:
    """Return how `countersign` is called from here: by its path where it is not on the PATH, as after `make demo`."""
    return "countersign" if shutil.which("countersign") else str(Path(sys.executable).with_name("countersign"))


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Give the demo's folder: a fresh one that goes when the demo ends, or the one that was wanted, which stays."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as made:
        yield Path(made)


async def _run(folder: Path, cluster: DemoCluster, wishes: DemoWishes, make: Make) -> int:
    workspace, over = Workspace(port=wishes.port), Event()
    await workspace.start()
    try:
        workspace.set_status_line("Cluster", cluster.description)
        settings = _settings(folder, cluster, workspace)
        application = make(settings)
        application.quiet = True
        await asyncio.to_thread(application.upgrade)
        secret = await asyncio.to_thread(_agent_token, application)

        async def ready(address: str) -> None:
            _welcome(folder, cluster, workspace, address)
            agent = Agent(address, secret, environment=ENVIRONMENT, say=_say)
            Thread(target=_perform, args=(agent, workspace, cluster, over), daemon=True).start()

        with ExitStack() as stack:
            # In a thread: the checks ask the workspace, which answers on this loop.
            serving = await asyncio.to_thread(stack.enter_context, application.serving())
            if serving is None:
                return 1
            await serving.run(ready)
    finally:
        over.set()
        await workspace.stop()
    return 0


def _settings(folder: Path, cluster: DemoCluster, workspace: Workspace) -> Settings:
    """Return the demo's settings, and write those down with which other commands can look at it."""
    database = f"sqlite:///{(folder / 'countersign.db').absolute()}"
    (folder / "settings.env").write_text(
        f"COUNTERSIGN_POLICY={folder / 'policy.yml'}\n"
        f"COUNTERSIGN_DATABASE_URL={database}\n"
        f"COUNTERSIGN_KUBECONFIG={cluster.kubeconfig}\n"
        f"COUNTERSIGN_KUBE_CONTEXT={cluster.context}\n"
        f"COUNTERSIGN_CLUSTER_NOTE={cluster.description}\n"
    )
    return Settings(
        policy=folder / "policy.yml",
        database_url=database,
        migration_database_url=database,
        host="127.0.0.1",
        port=0,
        trusted_proxies=(),
        tls_in_front=False,
        kubeconfig=cluster.kubeconfig,
        kube_context=cluster.context,
        cluster_note=cluster.description,
        slack=SlackSettings(
            bot_token=workspace.bot_token,
            app_token=workspace.app_token,
            signing_secret=None,
            api_url=workspace.api_url,
        ),
    )


def _agent_token(application: Product) -> str:
    application.use_cases.adopt(application.policies.current(), application.policies.text(), by=application.account)
    secret = clock.new_secret()
    application.admit().create(
        secret,
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=(ENVIRONMENT,),
        namespaces=(),
        good_for=timedelta(days=1),
        by=application.account,
    )
    return secret


def _perform(agent: Agent, workspace: Workspace, cluster: DemoCluster, over: Event) -> None:
    """Let the agent ask, one plea after another, and follow what becomes of each, until the demo is *over*."""
    pleas = demo_pleas(REQUESTER)
    for plea in pleas:
        try:
            escalation = agent.ask(plea)
        except Gone:
            return
        until = time.monotonic() + FOLLOW_SECONDS
        Thread(target=agent.follow, args=(escalation,), kwargs={"until": until}, daemon=True).start()
        if plea is pleas[-1]:
            _change_under_way(plea, escalation, workspace, cluster, over)
        if over.wait(BETWEEN_PLEAS_SECONDS):
            return


def _change_under_way(plea: Plea, escalation: str, workspace: Workspace, cluster: DemoCluster, over: Event) -> None:
    """Change the target once its card can be seen, so that its Approve ends in a void and a new card."""
    until = time.monotonic() + CARD_SECONDS
    while time.monotonic() < until and not _is_shown(workspace, escalation) and not over.wait(0.5):
        pass
    if over.wait(BETWEEN_PLEAS_SECONDS):
        return
    cluster.somebody_scales(plea.target["namespace"], plea.target["name"], CHANGED_TO)
    _say(f"somebody: scaled {plea.target['namespace']}/{plea.target['name']} to {CHANGED_TO} by hand")


def _is_shown(workspace: Workspace, escalation: str) -> bool:
    return any(escalation in str(message.blocks) for message in workspace.messages(CHANNEL))


def _welcome(folder: Path, cluster: DemoCluster, workspace: Workspace, address: str) -> None:
    _say("")
    _say(f"  Open     {workspace.page_url}")
    _say("           the Slack stand-in; act as Ada or Boris to approve, as others to be refused")
    _say(f"  Cluster  {cluster.description}")
    _say(f"  API      {address}/openapi.json")
    _say(f"  Look     COUNTERSIGN_SETTINGS={folder / 'settings.env'} {own_command()} status")
    _say("  Stop     Ctrl-C")
    _say("")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
