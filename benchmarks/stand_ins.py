"""The stand-ins for ``serve`` to talk to, in a process of their own: ``python -m benchmarks.stand_ins FOLDER``.

They must not share the process that is weighed. FOLDER holds the policy; the settings for ``serve`` are written to
``settings.env`` beside it, whose last line is there when everything runs. They end when their standard input does.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from bot.cluster.rights.access import grants_of
from bot.cluster.rights.manifests import manifests
from bot.policies import read_policy
from sandbox.cluster import Seed, StandIn, accounts_of, deployment
from sandbox.cluster.shop import usual_fences
from sandbox.workspace import Workspace

SETTINGS: Final = "settings.env"
POLICY: Final = "policy.yml"


def main(folder: Path) -> None:
    """Run until standard input ends."""
    policy, _ = read_policy(folder / POLICY)
    installation = policy.installation
    wanted = [one for cluster in policy.clusters for one in manifests(grants_of(policy, cluster), installation)]
    accounts = accounts_of(wanted)
    bot = next(account for account in accounts if account.username == installation.bot.username)
    seed = Seed(
        namespaces=(installation.namespace, "shop", "payments"),
        workloads=(
            deployment("shop", "checkout", replicas=3),
            *(manifest for manifest in wanted if manifest["kind"] == "Deployment"),
        ),
        accounts=accounts,
        fences=usual_fences(bot, accounts, prefix=installation.prefix),
        user=bot,
    )
    with StandIn(folder, seed) as cluster:
        asyncio.run(_workspace(folder, cluster))


async def _workspace(folder: Path, cluster: StandIn) -> None:
    workspace = Workspace()
    await workspace.start()
    settings = {
        "COUNTERSIGN_POLICY": folder / POLICY,
        "COUNTERSIGN_LISTEN": "127.0.0.1:0",
        "COUNTERSIGN_KUBECONFIG": cluster.kubeconfig,
        "COUNTERSIGN_KUBE_CONTEXT": cluster.context,
        "SLACK_API_URL": workspace.api_url,
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
    }
    made = folder / f"{SETTINGS}.new"
    made.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
    made.rename(folder / SETTINGS)  # Whole or not there.
    await asyncio.to_thread(sys.stdin.read)
    await workspace.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
