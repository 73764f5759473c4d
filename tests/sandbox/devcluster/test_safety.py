"""What the real cluster must not do to the machine it runs on: no open door, no readable key."""

import json
import socket
import ssl
from pathlib import Path

import pytest


def test_everything_listens_on_loopback_only(real_cluster):
    """No part is reachable from another machine, whatever its own default is."""
    inodes = {
        link.readlink().name
        for part in real_cluster.state.parts.values()
        for link in Path(f"/proc/{part.pid}/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).startswith("socket:")
    }
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}

    assert len(real_cluster.state.parts) == 5
    assert listening == {"0100007F"}  # 127.0.0.1 as the kernel prints it


def test_etcd_refuses_who_has_no_certificate(real_cluster):
    """The store stands above every rule of Kubernetes, and loopback is open to all users of the machine."""
    address = real_cluster.state.parts["etcd"].health
    port = int(address.rpartition(":")[2].partition("/")[0])
    context = ssl.create_default_context(cafile=real_cluster.ca_file)

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        _read_over_tls(context, port)


def _read_over_tls(context, port):
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        return secure.recv(100)


def test_what_holds_keys_is_private(real_cluster):
    """Whoever else uses the machine cannot read a kubeconfig, a key or the audit log."""
    secrets = [real_cluster.kubeconfig, *real_cluster.directory.glob("pki/*"), real_cluster.audit_log]

    assert {path.stat().st_mode & 0o077 for path in [real_cluster.directory, *secrets]} == {0}
    assert len(secrets) > 15


def test_the_kubeconfig_says_where_and_as_whom(real_cluster):
    """One context named devcluster, as administrator, pointing at the server that the object names."""
    document = json.loads(real_cluster.kubeconfig.read_text())

    assert (document["current-context"], document["clusters"][0]["cluster"]["server"]) == (
        "devcluster",
        real_cluster.server,
    )
    assert document["contexts"] == [
        {"name": "devcluster", "context": {"cluster": "devcluster", "user": "admin", "namespace": "default"}}
    ]
