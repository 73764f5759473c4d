import json
from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from approvals.errors import Unavailable
from bot.cluster.calls import Endpoint, Identity
from bot.cluster.connections import Connections, Source, Unusable, read_identity
from tests.bot.cluster.backstage import kubeconfig


def _config(**changed):
    cluster = {"server": "https://k.example:6443", **changed.pop("cluster", {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": cluster}, {"name": "d", "cluster": {"server": "https://other.example/"}}],
        "users": [{"name": "u", "user": changed.pop("user", {"token": "abc"})}],
        **changed,
    }


@pytest.fixture
def written(tmp_path):
    """Write a kubeconfig and return its source."""

    def write(config, context=None):
        path = tmp_path / "config"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return Source(kubeconfig=path, context=context)

    return write


def test_a_kubeconfig_yields_server_and_credential(written):
    """The context that the file calls current is used where none is named."""
    assert read_identity(written(_config())) == Identity(
        endpoint=Endpoint(host="https://k.example:6443"), authorization="Bearer abc"
    )


def test_the_named_context_is_used(written):
    """Each environment names its own."""
    assert read_identity(written(_config(), "two")).endpoint == Endpoint(host="https://other.example")


def test_the_connections_details_are_kept(written, tmp_path):
    """CA, server name and proxy of the file are those that calls use."""
    (tmp_path / "ca.pem").write_text("x")
    cluster = {"certificate-authority": "ca.pem", "tls-server-name": "kubernetes", "proxy-url": "http://proxy:3128"}

    assert read_identity(written(_config(cluster=cluster))).endpoint == Endpoint(
        host="https://k.example:6443",
        ca_file=str(tmp_path / "ca.pem"),
        tls_server_name="kubernetes",
        proxy="http://proxy:3128",
    )


def test_the_environments_proxy_is_used_where_it_applies(written, monkeypatch):
    """A server outside is reached through the machine's proxy, one on loopback never is."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    outside = read_identity(written(_config()))
    inside = read_identity(written(_config(cluster={"server": "https://127.0.0.1:6443"})))
    monkeypatch.setenv("no_proxy", "k.example")
    excepted = read_identity(written(_config()))

    assert [one.endpoint.proxy for one in (outside, inside, excepted)] == ["http://proxy:3128", None, None]


UNUSABLE = {
    "no file": (None, "missing"),
    "empty": ("", "missing"),
    "not YAML": ("{", "missing"),
    "a list": ("[]", "missing"),
    "no such context": (_config(contexts=[]), "missing"),
    "no credential": (_config(user={}), "neither a token nor"),
    "no check of the server": (_config(cluster={"insecure-skip-tls-verify": True}), "switches off"),
    "plain HTTP": (_config(cluster={"server": "http://k.example"}), "plain HTTP"),
    "plain HTTP to a name that looks local": (_config(cluster={"server": "http://127.0.0.1.example"}), "plain HTTP"),
    "no HTTP": (_config(cluster={"server": "ftp://k.example"}), "not an HTTP address"),
}


@pytest.mark.parametrize(("config", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_would_weaken_the_connection_is_refused(written, tmp_path, config, why):
    """No credential, no checked server, no encryption: each is refused with its reason, never worked around."""
    source = Source(kubeconfig=tmp_path / "none") if config is None else written(config)

    with pytest.raises(Unusable, match=why):
        read_identity(source)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"])
def test_loopback_may_be_plain(written, host):
    """Nothing on loopback leaves the machine."""
    assert read_identity(written(_config(cluster={"server": host}))).endpoint.host == host


def test_outside_a_pod_there_is_no_pods_account(monkeypatch):
    """The pod's account is asked for and there is none: said so, not guessed."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(Unusable, match="missing"):
        read_identity(Source(kubeconfig=None))


def test_in_a_pod_its_own_account_is_used(monkeypatch, tmp_path):
    """Kubelet's files say who the pod is; the token is read from them, not kept in any setting."""
    (tmp_path / "token").write_text("from-the-pod")
    (tmp_path / "ca.crt").write_text("x")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("no_proxy", "10.0.0.1")

    assert read_identity(Source(kubeconfig=None)) == Identity(
        endpoint=Endpoint(host="https://10.0.0.1:443", ca_file=str(tmp_path / "ca.crt")),
        authorization="bearer from-the-pod",
    )


def test_an_identity_is_kept_for_a_while_and_forgotten_on_demand(tmp_path):
    """A kubeconfig is not read for every call, and is read anew once the cluster did not accept it."""
    kubeconfig(tmp_path, "http://127.0.0.1:1", token="old")
    connections = Connections({"prod": Source(kubeconfig=tmp_path / "kubeconfig")})

    first = connections.own("prod").authorization
    kubeconfig(tmp_path, "http://127.0.0.1:1", token="new")
    second = connections.own("prod").authorization
    connections.forget("prod")
    third = connections.own("prod").authorization

    assert (first, second, third) == ("Bearer old", "Bearer old", "Bearer new")


def test_an_unusable_source_is_no_answer_and_names_its_environment(tmp_path):
    """The use cases learn that the cluster cannot be asked, not where a file lies."""
    connections = Connections({"prod": Source(kubeconfig=tmp_path / "none")})

    with pytest.raises(Unavailable) as refusal:
        connections.own("prod")

    assert refusal.value.sentence == (
        "The connection to the cluster of prod cannot be used: it is missing or cannot be read."
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source(kubeconfig=None), "the pod's service account"),
        (Source(kubeconfig=Path("/k"), context="c"), "/k (context c)"),
    ],
)
def test_a_source_says_where_it_is(source, words):
    """An operator is told where to look."""
    assert str(source) == words
