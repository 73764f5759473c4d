"""The kubeconfig file by which any client finds the stand-in. It holds a credential, so only its owner may read it."""

import json
import os
from pathlib import Path
from typing import Final

CONTEXT: Final = "stand-in"


def write(path: Path, *, server: str, user: str, token: str) -> Path:
    """Write the file, replacing what is there, and return its path; its directory is made where it is missing."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": server}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}],
        "current-context": CONTEXT,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    # Made private before there is anything to read, and renamed whole.
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=2)
    fresh.replace(path)
    return path
