"""Kubeconfig: why one yields no connection. The client library has one kind of exception for a dozen facts; each has a cure.

Looked at only after the library has refused it. Of what the file holds, nothing is told but the names of its contexts.
"""

import binascii
import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from yaml import MarkedYAMLError, YAMLError, safe_load

from bot.files import read_whole

LARGEST_KUBECONFIG: Final = 1024 * 1024
"""In bytes: some two hundred clusters with their certificates."""

_MOST_NAMES: Final = 8
"""Contexts that are named before the rest is counted."""


def why_no_pod(error: Exception) -> tuple[str, str]:
    """Return the code and words of why a pod's own account cannot be used, which the library refused with *error*."""
    if "Service host/port" in str(error):
        return (
            "not_in_a_pod",
            "no kubeconfig is set and this is no pod: set COUNTERSIGN_KUBECONFIG to a kubeconfig's path",
        )
    return (
        "no_pod_account",
        "this pod has no token or CA of a service account that can be read: see to automountServiceAccountToken",
    )


def why_unusable(file: Path, context: str | None, error: Exception) -> tuple[str, str]:
    """Return the code and words of why the kubeconfig *file* cannot be used, which the library refused with *error*."""
    if os.pathsep in str(file):
        return "kubeconfig_unusable", "one of the files in COUNTERSIGN_KUBECONFIG cannot be used; name a single one"
    found = _of_file(file)
    if isinstance(found, tuple):
        return found
    return _of_context(found, context) or _of_rest(error)


def what_lacks(file: Path, context: str | None) -> tuple[str, str] | None:
    """Return the code and words of what the kubeconfig's *context* leads to and is not there; None where all of it is."""
    found = _of_file(file)
    if isinstance(found, tuple):
        return None
    return _of_context(found, context) or _of_user(_user(found, context), file.expanduser().parent)


def what_is_ignored(file: Path, context: str | None) -> tuple[str, str] | None:
    """Return the code and words of what the library passes over, to act with other rights than the file says; None as a rule."""
    found = _of_file(file)
    user = {} if isinstance(found, tuple) else _user(found, context)
    if not any(key == "as" or key.startswith("as-") for key in map(str, user)):
        return None
    return "impersonates", "its user acts as another one (as), which is not done here: name that one's own credential"


def _user(held: Mapping[str, Any], context: str | None) -> Mapping[str, Any]:
    """Return the user to which the context leads, as far as the file has it."""
    chosen = _named(held.get("contexts")).get(str(context or held.get("current-context")), {}).get("context")
    name = chosen.get("user") if isinstance(chosen, dict) else None
    user = _named(held.get("users")).get(str(name), {}).get("user")
    return user if isinstance(user, dict) else {}


def _of_user(user: Mapping[str, Any], folder: Path) -> tuple[str, str] | None:
    """Return why the *user* of a kubeconfig in *folder* yields no credential, as far as that can be seen."""
    if named := user.get("tokenFile"):
        return "no_credential", f"the token file that its user names ({named}) is empty: have a token written there"
    if "auth-provider" in user:
        return "auth_provider", "its user names an auth-provider, which is not used here: let a program yield it (exec)"
    plugin = user.get("exec")
    command = plugin.get("command") if isinstance(plugin, dict) else None
    if isinstance(command, str) and shutil.which(command if os.sep not in command else str(folder / command)) is None:
        return (
            "no_such_plugin",
            "the program that its user names (exec) is not there, or may not be run: install it, or give its path",
        )
    return None


def _of_file(file: Path) -> tuple[str, str] | dict[str, Any]:
    """Return what the file holds, or why it cannot be read."""
    try:
        text = read_whole(file.expanduser(), most=LARGEST_KUBECONFIG).decode()
    except FileNotFoundError:
        return "kubeconfig_missing", "there is no such file: check COUNTERSIGN_KUBECONFIG"
    except IsADirectoryError:
        return "kubeconfig_is_a_folder", "it is a folder: set COUNTERSIGN_KUBECONFIG to a file in it"
    except OSError as error:
        if error.errno == errno.EFBIG:
            return "kubeconfig_too_large", f"{error.strerror}, which no kubeconfig has: check COUNTERSIGN_KUBECONFIG"
        return "kubeconfig_unreadable", f"the file cannot be read ({error.strerror}): let this user read it"
    except UnicodeDecodeError:
        return "kubeconfig_not_text", "the file is not UTF-8: write it anew"
    if not text.strip():
        return "kubeconfig_empty", "the file is empty: write a kubeconfig there"
    try:
        held = safe_load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        return "kubeconfig_not_yaml", f"the file is not YAML{where}: write it anew, or mend that line"
    except (YAMLError, RecursionError, ValueError):
        return "kubeconfig_not_yaml", "the file is not YAML: write it anew"
    if not isinstance(held, dict) or not isinstance(held.get("contexts"), list):
        return "kubeconfig_not_one", "the file is YAML and no kubeconfig: it has no list of contexts"
    return held


def _of_context(held: Mapping[str, Any], context: str | None) -> tuple[str, str] | None:
    contexts = _named(held.get("contexts"))
    wanted = context or held.get("current-context")
    if not wanted:
        cure = "name one in the policy's clusters or in COUNTERSIGN_KUBE_CONTEXT"
        return "no_context", f"it has no current context and none is set: {cure}; it has {_listed(contexts)}"
    if wanted not in contexts:
        return "no_such_context", f"it has no context called {wanted}: name one that it has ({_listed(contexts)})"
    inner = contexts[wanted].get("context")
    inner = inner if isinstance(inner, dict) else {}
    for part, key in (("cluster", "clusters"), ("user", "users")):
        if inner.get(part) not in _named(held.get(key)):
            return f"no_such_{part}", f"its context {wanted} names a {part} that the file does not have: mend the file"
    return None


def _of_rest(error: Exception) -> tuple[str, str]:
    told = str(error)
    if isinstance(error, binascii.Error):
        return "kubeconfig_not_base64", "a certificate or key in it is not base64: write it anew"
    if "File does not exist" in told or isinstance(error, FileNotFoundError):
        return "kubeconfig_file_missing", "a certificate, key or token file that it names does not exist: mend the path"
    return "kubeconfig_unusable", "it is no kubeconfig that can be used: try kubectl with it and the same context"


def _named(entries: object) -> dict[str, dict[str, Any]]:
    """Return a kubeconfig's list of named entries by name; whatever is none of these is left out."""
    several = entries if isinstance(entries, list) else []
    return {one["name"]: one for one in several if isinstance(one, dict) and isinstance(one.get("name"), str)}


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"{', '.join(known[:_MOST_NAMES])}{more}" if known else "none"
