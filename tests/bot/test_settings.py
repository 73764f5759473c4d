"""Settings: read once, refused clearly, secrets never shown."""

import traceback
from ipaddress import ip_network
from pathlib import Path

import pytest

from approvals.errors import Malformed
from bot import settings
from bot.settings import Settings, SlackSettings, Transport, read

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1-real-looking", "SLACK_APP_TOKEN": "xapp-1-real-looking"}


def test_without_anything_set_the_defaults_hold():
    """Every setting has a default; none of them opens anything beyond this machine."""
    assert read({}) == Settings(
        policy=Path("policy.yml"),
        database_url="sqlite:///countersign.db",
        migration_database_url="sqlite:///countersign.db",
        host="127.0.0.1",
        port=8080,
        trusted_proxies=(),
        tls_in_front=False,
        kubeconfig=None,
        kube_context=None,
        cluster_note=None,
        slack=None,
    )


def test_every_setting_is_read():
    """Each name in the table of settings has its effect."""
    values = {
        "COUNTERSIGN_POLICY": "p.yml",
        "COUNTERSIGN_DATABASE_URL": "postgresql://app:hunter2hunter2@db/x",
        "COUNTERSIGN_MIGRATION_DATABASE_URL": "postgresql://owner:swordfish99@db/x",
        "COUNTERSIGN_LISTEN": "[::1]:9090",
        "COUNTERSIGN_TLS_IN_FRONT": "yes",
        "COUNTERSIGN_TRUSTED_PROXIES": "10.0.0.7, 2001:db8::/32",
        "COUNTERSIGN_KUBECONFIG": "k.yml",
        "COUNTERSIGN_KUBE_CONTEXT": "prod",
        "COUNTERSIGN_CLUSTER_NOTE": "the big one",
        "SLACK_BOT_TOKEN": "xoxb-1-real-looking",
        "SLACK_SIGNING_SECRET": "0123456789abcdef",
        "SLACK_API_URL": "http://127.0.0.1:1/api",
    }

    found = read(values)

    assert found == Settings(
        policy=Path("p.yml"),
        database_url="postgresql://app:hunter2hunter2@db/x",
        migration_database_url="postgresql://owner:swordfish99@db/x",
        host="::1",
        port=9090,
        trusted_proxies=(ip_network("10.0.0.7"), ip_network("2001:db8::/32")),
        tls_in_front=True,
        kubeconfig=Path("k.yml"),
        kube_context="prod",
        cluster_note="the big one",
        slack=SlackSettings(
            bot_token="xoxb-1-real-looking",
            app_token=None,
            signing_secret="0123456789abcdef",
            api_url="http://127.0.0.1:1/api/",
        ),
    )
    assert found.slack is not None
    assert found.slack.transport is Transport.HTTP
    assert found.secrets == ("xoxb-1-real-looking", "0123456789abcdef", "hunter2hunter2", "swordfish99")


def test_a_secret_is_in_no_representation():
    """What is printed of the settings, in a log or a traceback, holds no secret (I12)."""
    found = read({**SOCKET, "COUNTERSIGN_DATABASE_URL": "postgresql://app:hunter2hunter2@db/x"})

    assert not [secret for secret in found.secrets if secret in repr(found)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "   "}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-changeme-please"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xapp-1-of-the-wrong-kind"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-1-real-looking"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-1-real-looking"}, "SLACK_APP_TOKEN"),
        ({**SOCKET, "SLACK_SIGNING_SECRET": "0123456789abcdef"}, "SLACK_SIGNING_SECRET"),
        ({**SOCKET, "SLACK_SIGNING_SECRET": ""}, "SLACK_SIGNING_SECRET"),
        ({"SLACK_BOT_TOKEN": "xoxb-1-real-looking", "SLACK_SIGNING_SECRET": " "}, "SLACK_SIGNING_SECRET"),
        ({**SOCKET, "SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "abc"}, "SLACK_CLIENT_ID"),
        ({"COUNTERSIGN_LISTEN": "8080"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_LISTEN": "127.0.0.1:70000"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_LISTEN": "127.0.0.1:http"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_TRUSTED_PROXIES": "proxy.test"}, "COUNTERSIGN_TRUSTED_PROXIES"),
        ({"COUNTERSIGN_TRUSTED_PROXIES": "10.0.0.1/8"}, "COUNTERSIGN_TRUSTED_PROXIES"),
        ({"COUNTERSIGN_TRUSTED_PROXIES": "0.0.0.0/0"}, "COUNTERSIGN_TRUSTED_PROXIES"),
        ({"COUNTERSIGN_TRUSTED_PROXIES": "::/0"}, "COUNTERSIGN_TRUSTED_PROXIES"),
        ({"COUNTERSIGN_TLS_IN_FRONT": "maybe"}, "COUNTERSIGN_TLS_IN_FRONT"),
        ({"COUNTERSIGN_LISTEN": ":8080"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_LISTEN": "[::1:8080"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_LISTEN": "127.0.0.256:8080"}, "COUNTERSIGN_LISTEN"),
        ({"COUNTERSIGN_LISTEN": "any host:8080"}, "COUNTERSIGN_LISTEN"),
        ({**SOCKET, "SLACK_API_URL": "slack.example/api"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "ftp://slack.example/api/"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "https://["}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "https://slack.example:99999/"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "https://ada:hunter2hunter2@slack.example/api/"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "https://slack.example/api/?a=b"}, "SLACK_API_URL"),
        ({**SOCKET, "SLACK_API_URL": "http://slack.example/api/"}, "SLACK_API_URL"),
    ],
)
def test_t_auth_12_t_cfg_08_what_cannot_be_right_is_refused_by_name(values, names):
    """An empty, blank, copied or misplaced secret never means "no secret": the start is refused and names the setting."""
    with pytest.raises(Malformed) as refused:
        read(values)

    assert names in refused.value.sentence
    assert not [value for value in values.values() if len(value) > 12 and value in refused.value.sentence]


def test_a_file_of_the_same_names_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    """A settings file may hold comments, quotes and export; what the environment says too, the environment says."""
    file = tmp_path / "settings.env"
    file.write_text("# ours\n\nexport COUNTERSIGN_POLICY='a.yml'\nCOUNTERSIGN_LISTEN=\"127.0.0.1:1234\"\n")
    monkeypatch.setenv("COUNTERSIGN_SETTINGS", str(file))
    monkeypatch.setenv("COUNTERSIGN_LISTEN", "127.0.0.1:4321")

    found = settings.from_environment()

    assert (found.policy, found.port) == (Path("a.yml"), 4321)


@pytest.mark.parametrize(
    ("text", "says"), [("COUNTERSIGN_POLICY\n", "line 1"), (None, "cannot be read: .* Name another file")]
)
def test_a_settings_file_that_cannot_be_understood_is_refused(tmp_path, monkeypatch, text, says):
    """A line that is no setting, or a file that is not there, stops the start and says where."""
    file = tmp_path / "settings.env"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("COUNTERSIGN_SETTINGS", str(file))

    with pytest.raises(Malformed, match=says):
        settings.from_environment()


def test_a_settings_file_that_is_no_text_is_refused_without_its_bytes(tmp_path, monkeypatch):
    """It is not said to be another setting's fault, and what the file holds, secrets, is not shown."""
    file = tmp_path / "settings.env"
    file.write_bytes(b"SLACK_BOT_TOKEN=s3cret\xff\n")
    monkeypatch.setenv("COUNTERSIGN_SETTINGS", str(file))

    with pytest.raises(Malformed) as refused:
        settings.from_environment()

    assert refused.value.sentence == f"COUNTERSIGN_SETTINGS: the file {file} is not UTF-8. Save it as UTF-8."
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("COUNTERSIGN_POLICY=a.yml\nCOUNTERSIGN_POLICY=b.yml\n", "line 2: COUNTERSIGN_POLICY is set a second time"),
        (
            "COUNTERSIGN_DATABASE_URI=x\n",
            "line 1: there is no setting called COUNTERSIGN_DATABASE_URI. Is it COUNTERSIGN_DATABASE_URL?",
        ),
        ("SLACK_TOKEN_OF_THE_BOT=x\n", "line 1: there is no setting called SLACK_TOKEN_OF_THE_BOT."),
        ("COUNTERSIGN_POLICY=a\0b\n", "line 1: COUNTERSIGN_POLICY holds a control character"),
        ("COUNTERSIGN_POLICY=a\u2028COUNTERSIGN_LISTEN=b:1\n", "line 1: COUNTERSIGN_POLICY holds a control character"),
        ("#" * (64 * 1024 + 1), "it has more than 65,536 bytes"),
    ],
)
def test_a_settings_file_with_two_readings_is_refused(tmp_path, monkeypatch, text, says):
    """A name that stands twice, one that is nearly ours, a character that hides: none is obeyed by its place."""
    file = tmp_path / "settings.env"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("COUNTERSIGN_SETTINGS", str(file))

    with pytest.raises(Malformed) as refused:
        settings.from_environment()

    assert says in refused.value.sentence


def test_a_settings_file_may_come_from_another_editor(tmp_path, monkeypatch):
    """A byte order mark and line ends of another system change nothing, and names that are none of ours are left alone."""
    file = tmp_path / "settings.env"
    file.write_bytes(b"\xef\xbb\xbfCOUNTERSIGN_POLICY=a.yml\r\nPATH=/bin\r\nCOUNTERSIGN_LISTEN=localhost:1\r\n")
    monkeypatch.setenv("COUNTERSIGN_SETTINGS", str(file))

    found = settings.from_environment()

    assert (found.policy, found.host, found.port) == (Path("a.yml"), "localhost", 1)


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("postgresql+psycopg://app@server:hunter2hunter2@db/x", {"hunter2hunter2"}),
        ("postgresql+psycopg://app:hunter%402hunter@db/x", {"hunter%402hunter", "hunter@2hunter"}),
        ("postgresql+psycopg://db/x?user=app&password=hunter2hunter2", {"hunter2hunter2"}),
        ("postgresql+psycopg://db/x?sslpassword=hunter%2B2&x=y", {"hunter+2", "hunter%2B2"}),
    ],
)
def test_a_password_is_blanked_wherever_the_address_has_it(address, secrets):
    """A name with an at-sign, an escaped password, one among the options: each is a secret, as written and as meant (I12)."""
    assert secrets <= set(read({"COUNTERSIGN_DATABASE_URL": address}).secrets)


def test_whoever_became_root_by_sudo_is_named_for_themselves(monkeypatch):
    """The operator is the person behind sudo; without sudo it is the machine's user, whatever the environment claims."""
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "olga")
    assert settings.operator_name() == "olga"

    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setenv("USER", "somebody-else")
    assert settings.operator_name() == "root"

    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert settings.operator_name() == "uid-54321"
