"""Plugins: the programs by which a kubeconfig's user gets its credential (``exec``), each bounded in time.

The client library waits for one until it ends, and one that asks somebody to log in never does. It would hold a thread for each
question to its cluster; so it is run by ``timeout``, which ends it.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from bot.cluster.client.kubeconfig import LARGEST_KUBECONFIG
from bot.files import read_whole

LONGEST_PLUGIN: Final = 15.0
"""Seconds that one may take: those of the clouds take one or two."""

_KILLED_AFTER: Final = 2
"""Seconds after which one that does not heed being told to end is killed."""


def load_bounded(file: Path, context: str | None, configuration: Configuration) -> bool:
    """Set *configuration* to what the kubeconfig says, and return whether its plugin, if any, had to be ended.

    Raises:
        ConfigException: It is no kubeconfig, or lacks something; other errors of the library as they come.
        OSError: It cannot be read, or is larger than a kubeconfig can be.
    """
    for one in str(file).split(os.pathsep):  # The library reads each whole, and passes over one that is not there.
        with suppress(FileNotFoundError):
            read_whole(Path(one).expanduser(), most=LARGEST_KUBECONFIG)
    held = KubeConfigMerger(str(file)).config
    if held is None:
        raise ConfigException("Invalid kube-config file. No configuration found.")
    for user in held.value["users"]:
        _bound(user.value)
    began = monotonic()
    KubeConfigLoader(config_dict=held, config_base_path=None, active_context=context).load_and_set(configuration)
    return monotonic() - began >= LONGEST_PLUGIN


def _bound(entry: Any) -> None:
    """Have the user's plugin run under ``timeout``, where this machine has that."""
    timeout = shutil.which("timeout")
    user = entry.get("user") if isinstance(entry, dict) else None
    plugin = user.get("exec") if isinstance(user, dict) else None
    if timeout is None or not isinstance(plugin, dict) or not isinstance(plugin.get("command"), str):
        return
    given = plugin.get("args") or []
    plugin["args"] = ["-k", str(_KILLED_AFTER), f"{LONGEST_PLUGIN:g}", plugin["command"], *given]
    plugin["command"] = timeout
