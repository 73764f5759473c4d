import json
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kubernetes.config import incluster_config

from approvals.errors import Unavailable
from bot.cluster.client import plugins
from bot.cluster.client.calls import Endpoint, Identity
from bot.cluster.client.connections import Connections, Unusable, read_identity
from bot.cluster.client.kubeconfig import LARGEST_KUBECONFIG
from bot.cluster.client.sources import Source
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


def _with_token_file(written, tmp_path, content):
    (tmp_path / "bot.token").write_bytes(content)
    return written(_config(user={"tokenFile": "bot.token"}))


@pytest.mark.parametrize("content", [b"abc", b"abc\n", b"abc\r\n", b"\n  abc \n\n"])
def test_space_around_a_token_is_none_of_it(written, tmp_path, content):
    """Whoever writes a token into a file ends it with a line, and an editor does too."""
    assert read_identity(_with_token_file(written, tmp_path, content)).authorization == "Bearer abc"


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (b"", "no_credential", r"token file that its user names \(bot.token\) is empty"),
        (b" \n", "no_credential", r"token file that its user names \(bot.token\) is empty"),
        (b"s3cret\ns3cret", "not_a_token", "write one token there, alone"),
        (b"s3cret s3cret", "not_a_token", "write one token there, alone"),
        ("s3cr\u00e9t s3cret".encode(), "not_a_token", "write one token there, alone"),
        ("s3cret\u2026".encode(), "not_a_token", "write one token there, alone"),
        (b"s3cret\0", "not_a_token", "write one token there, alone"),
    ],
)
def test_what_no_header_can_carry_is_no_token_and_is_not_told(written, tmp_path, content, code, why):
    """It is said when it is read, with what to do, and not by each call that cannot be made; nothing of it is quoted."""
    with pytest.raises(Unusable, match=why) as refusal:
        read_identity(_with_token_file(written, tmp_path, content))

    assert refusal.value.code == code
    assert "s3cr" not in "".join(traceback.format_exception(refusal.value))


def test_a_token_file_that_is_not_there_is_told_apart(written):
    """A path is mended in another way than a file that something has to write."""
    with pytest.raises(Unusable, match="mend the path") as refusal:
        read_identity(written(_config(user={"tokenFile": "bot.token"})))

    assert refusal.value.code == "kubeconfig_file_missing"


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
    "no file": (None, "no such file"),
    "empty": ("", "is empty"),
    "not YAML": ("{", "not YAML"),
    "a list": ("[]", "no kubeconfig"),
    "no such context": (_config(contexts=[]), "no context called one"),
    "no credential": (_config(user={}), "neither a token nor"),
    "no check of the server": (_config(cluster={"insecure-skip-tls-verify": True}), "switches off"),
    "plain HTTP": (_config(cluster={"server": "http://k.example"}), "plain HTTP"),
    "plain HTTP to a name that looks local": (_config(cluster={"server": "http://127.0.0.1.example"}), "plain HTTP"),
    "no HTTP": (_config(cluster={"server": "ftp://k.example"}), "not an HTTP address"),
    "no port": (_config(cluster={"server": "https://k.example:99999"}), "not an HTTP address"),
    "a word for a port": (_config(cluster={"server": "https://k.example:https"}), "not an HTTP address"),
    "no host": (_config(cluster={"server": "https://:6443"}), "not an HTTP address"),
}


@pytest.mark.parametrize(("config", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_would_weaken_the_connection_is_refused(written, tmp_path, config, why):
    """No credential, no checked server, no encryption: each is refused with its reason, never worked around."""
    source = Source(kubeconfig=tmp_path / "none") if config is None else written(config)

    with pytest.raises(Unusable, match=why):
        read_identity(source)


@pytest.mark.parametrize(
    ("content", "context", "code", "why"),
    [
        (b"", None, "kubeconfig_empty", "the file is empty"),
        (b"\xff\xfe", None, "kubeconfig_not_text", "the file is not UTF-8"),
        (b"users: [s3cret\n", None, "kubeconfig_not_yaml", "the file is not YAML \\(line "),
        (b"- a list", None, "kubeconfig_not_one", "no kubeconfig"),
        (b"contexts: 5", None, "kubeconfig_not_one", "no kubeconfig"),
        (json.dumps(_config()).encode(), "prod", "no_such_context", "no context called prod.*one, two"),
        (json.dumps(_config(**{"current-context": ""})).encode(), None, "no_context", "no current context.*one, two"),
        (json.dumps(_config(clusters=[])).encode(), None, "no_such_cluster", "names a cluster"),
        (json.dumps(_config(users=[])).encode(), None, "no_such_user", "names a user"),
        (
            json.dumps(_config(cluster={"certificate-authority": "none.pem"})).encode(),
            None,
            "kubeconfig_file_missing",
            "does not exist",
        ),
        (
            json.dumps(_config(cluster={"certificate-authority-data": "%s3cret"})).encode(),
            None,
            "kubeconfig_not_base64",
            "not base64",
        ),
    ],
)
def test_each_way_of_being_no_kubeconfig_has_its_cause(tmp_path, content, context, code, why):
    """One sentence for all of them would leave the operator to guess; nothing of what the file holds is quoted."""
    (tmp_path / "config").write_bytes(content)

    with pytest.raises(Unusable, match=why) as refusal:
        read_identity(Source(kubeconfig=tmp_path / "config", context=context))

    assert refusal.value.code == code
    assert "s3cret" not in "".join(traceback.format_exception(refusal.value))


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    """A path that is one too short, and one that is wrong."""
    codes = []
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Unusable) as refusal:
            read_identity(Source(kubeconfig=path))
        codes.append(refusal.value.code)

    assert codes == ["kubeconfig_is_a_folder", "kubeconfig_missing"]


@pytest.mark.parametrize("name", ["/dev/zero", "a file that grew"])
def test_a_kubeconfig_is_read_no_further_than_one_can_be(tmp_path, name):
    """A device without an end takes no memory and no thread, and its cause is told (I13)."""
    file = tmp_path / name
    if not file.exists():
        file.write_bytes(b"#" * (LARGEST_KUBECONFIG + 1))

    with pytest.raises(Unusable, match="it has more than 1,048,576 bytes") as refusal:
        read_identity(Source(kubeconfig=file))

    assert refusal.value.code == "kubeconfig_too_large"


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"])
def test_loopback_may_be_plain(written, host):
    """Nothing on loopback leaves the machine."""
    assert read_identity(written(_config(cluster={"server": host}))).endpoint.host == host


def test_outside_a_pod_there_is_no_pods_account(monkeypatch):
    """The pod's account is asked for and there is none: said so, not guessed."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(Unusable, match="no kubeconfig is set and this is no pod") as refusal:
        read_identity(Source(kubeconfig=None))
    assert refusal.value.code == "not_in_a_pod"


def test_a_pod_without_a_token_is_told_apart(monkeypatch, tmp_path):
    """Inside a pod the cure is another: its account was not mounted."""
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    with pytest.raises(Unusable, match="automountServiceAccountToken") as refusal:
        read_identity(Source(kubeconfig=None))
    assert refusal.value.code == "no_pod_account"


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


def test_a_token_may_end_its_line(tmp_path, written):
    """Editors and shells end a file with a line break."""
    (tmp_path / "token").write_text("abc\r\n")

    assert read_identity(written(_config(user={"tokenFile": "token"}))).authorization == "Bearer abc"


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


@pytest.mark.parametrize(
    ("user", "code"),
    [
        ({"token": "s3cret\nmore"}, "not_a_token"),
        ({"token": "s3crét"}, "not_a_token"),
        ({"token": "abc", "as": "system:serviceaccount:x:y"}, "impersonates"),
        ({"token": "abc", "as-groups": ["viewers"]}, "impersonates"),
        ({"auth-provider": {"name": "gcp", "config": {}}}, "auth_provider"),
        ({"exec": {**EXEC, "command": "there-is-no-such-plugin"}}, "no_such_plugin"),
        ({"exec": {**EXEC, "command": "./none"}}, "no_such_plugin"),
        ({"exec": {**EXEC, "command": "false"}}, "no_credential"),
    ],
)
def test_each_way_of_yielding_no_credential_has_its_cause(written, user, code):
    """What the library passes over would act with other rights than the file says; a token is quoted nowhere."""
    with pytest.raises(Unusable) as refused:
        read_identity(written(_config(user=user)))

    assert refused.value.code == code
    assert "s3cr" not in "".join(traceback.format_exception(refused.value))


def a_plugin(tmp_path, script):
    """Return a kubeconfig's user whose credential a shell script yields; each run leaves a line in *tmp_path*/runs."""
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{script}\n")
    program.chmod(0o700)
    return {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin", "interactiveMode": "Never"}
    }


YIELDS = (
    'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "fresh"}}\''
)


def test_a_program_that_yields_the_credential_is_run_once_for_all(tmp_path, written):
    """A storm of questions to one cluster is no storm of logins; a command beside the kubeconfig is found."""
    connections = Connections({"prod": written(_config(user=a_plugin(tmp_path, f"sleep 0.2; {YIELDS}")))})

    with ThreadPoolExecutor(6) as threads:
        found = {identity.authorization for identity in threads.map(connections.own, ["prod"] * 6)}

    assert (found, (tmp_path / "runs").read_text()) == ({"Bearer fresh"}, "run\n")


def test_a_program_that_hangs_is_ended_and_said(tmp_path, written, monkeypatch):
    """One that waits for somebody to log in would hold every thread that asks its cluster, for ever."""
    monkeypatch.setattr(plugins, "LONGEST_PLUGIN", 0.3)
    connections = Connections({"prod": written(_config(user=a_plugin(tmp_path, "exec sleep 60")))})

    def asked(_):
        with pytest.raises(Unavailable) as refused:
            connections.own("prod")
        return refused.value.cause_code

    with ThreadPoolExecutor(4) as threads:
        causes = list(threads.map(asked, range(4)))

    assert (causes, (tmp_path / "runs").read_text()) == (["plugin_too_slow"] * 4, "run\n")


def test_an_unusable_source_is_no_answer_and_names_its_environment(tmp_path):
    """The use cases learn that the cluster cannot be asked, not where a file lies."""
    connections = Connections({"prod": Source(kubeconfig=tmp_path / "none")})

    with pytest.raises(Unavailable) as refusal:
        connections.own("prod")

    assert refusal.value.sentence == (
        "The connection to the cluster of prod cannot be used; its operators are told why."
    )
    assert (refusal.value.cause_code, refusal.value.for_operators) == (
        "kubeconfig_missing",
        (
            "The connection to the cluster of prod cannot be used: there is no such file: check COUNTERSIGN_KUBECONFIG. "
            f"It comes from {tmp_path / 'none'} (context as the file says)."
        ),
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
