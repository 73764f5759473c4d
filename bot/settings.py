"""Settings: read once, from the environment or one file of the same names, then frozen. Nobody else looks at the environment.

A secret is never shown: :meth:`Settings.__repr__` leaves it out, and :attr:`Settings.secrets` lists what the log must blank.
"""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

from approvals.errors import Malformed

DEFAULT_LISTEN: Final = "127.0.0.1:8080"
DEFAULT_DATABASE: Final = "sqlite:///countersign.db"
DEFAULT_POLICY: Final = "policy.yml"
SLACK_API: Final = "https://slack.com/api/"

_FILE: Final = "COUNTERSIGN_SETTINGS"
_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*")
_PLACEHOLDER: Final = re.compile(r"(?i)change-?me|placeholder|example|your[-_ ]|xxx|\.\.\.|<.*>|todo")
_SHORTEST_SECRET: Final = 10


class Transport(StrEnum):
    """How Slack reaches us."""

    SOCKET = "socket"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """How we reach Slack, and it us."""

    bot_token: str = field(repr=False)
    app_token: str | None = field(repr=False)
    """Socket Mode's; None in HTTP mode."""
    signing_secret: str | None = field(repr=False)
    """HTTP mode's; None in Socket Mode."""
    api_url: str

    @property
    def transport(self) -> Transport:
        """Socket Mode where there is an app token, else signed HTTP."""
        return Transport.SOCKET if self.app_token is not None else Transport.HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is set from outside the policy. Paths are as given, relative to the working folder."""

    policy: Path
    database_url: str = field(repr=False)
    migration_database_url: str = field(repr=False)
    """The owner's, where another role than the service's owns the tables; else the same."""
    host: str
    port: int
    tls_in_front: bool
    """Says that TLS ends in front of the API, so that it may listen beyond loopback."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """The proxies whose word on where a call comes from counts; empty for none."""
    kubeconfig: Path | None
    """None for the account of the pod we run in."""
    kube_context: str | None
    cluster_note: str | None
    """What ``status`` says of the cluster, where somebody knows it better than the path of a file tells."""
    slack: SlackSettings | None
    """None where no token is set: commands that need no Slack still work, ``serve`` refuses."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value, for the log to blank."""
        slack = self.slack
        values = () if slack is None else (slack.bot_token, slack.app_token, slack.signing_secret)
        return tuple(value for value in (*values, *_passwords(self.database_url, self.migration_database_url)) if value)


def from_environment() -> Settings:
    """Return the settings of this process.

    Raises:
        Malformed: A value cannot be what it should be; the sentence names the setting.
    """
    environment = dict(os.environ)
    file = environment.get(_FILE) or None
    return read({**({} if file is None else _read_file(Path(file))), **environment})


def operator_name() -> str:
    """Return who is at the command line, as the machine's user database knows them; the account is ``os:NAME``.

    The environment is believed only where it says who became root through ``sudo``: whoever can forge that is root.
    """
    uid = os.getuid()
    if uid == 0 and (name := os.environ.get("SUDO_USER")):
        return name
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def read(values: Mapping[str, str]) -> Settings:
    """Return the settings that *values*, by name, make.

    Raises:
        Malformed: One of them cannot be what it should be.
    """
    database = values.get("COUNTERSIGN_DATABASE_URL") or DEFAULT_DATABASE
    kubeconfig = values.get("COUNTERSIGN_KUBECONFIG")
    host, port = _listen(values.get("COUNTERSIGN_LISTEN") or DEFAULT_LISTEN)
    return Settings(
        policy=Path(values.get("COUNTERSIGN_POLICY") or DEFAULT_POLICY),
        database_url=database,
        migration_database_url=values.get("COUNTERSIGN_MIGRATION_DATABASE_URL") or database,
        host=host,
        port=port,
        trusted_proxies=_networks(values, "COUNTERSIGN_TRUSTED_PROXIES"),
        tls_in_front=_yes_or_no(values, "COUNTERSIGN_TLS_IN_FRONT"),
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        kube_context=values.get("COUNTERSIGN_KUBE_CONTEXT") or None,
        cluster_note=values.get("COUNTERSIGN_CLUSTER_NOTE") or None,
        slack=_slack(values),
    )


def _read_file(path: Path) -> dict[str, str]:
    """Return the settings in a file of ``NAME=value`` lines; ``#`` starts a comment line, quotes around a value go."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Malformed(f"{_FILE}: the file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        # Unchained: the codec's own words hold the bytes, and those of this file are secrets.
        raise Malformed(f"{_FILE}: the file {path} is not UTF-8. Save it as UTF-8.") from None
    values: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise Malformed(f"{path}, line {number}: it is not NAME=value.")
        values[found[1]] = found[2].strip("\"'")
    return values


def _slack(values: Mapping[str, str]) -> SlackSettings | None:
    bot, app = _secret(values, "SLACK_BOT_TOKEN", "xoxb-"), _secret(values, "SLACK_APP_TOKEN", "xapp-")
    signing = _secret(values, "SLACK_SIGNING_SECRET", "")
    if bot is None:
        if app is not None or signing is not None:
            raise Malformed("SLACK_BOT_TOKEN is missing: it is the one that starts with xoxb-.")
        return None
    if "SLACK_CLIENT_ID" in values and "SLACK_CLIENT_SECRET" in values:
        # Slack's library would read them from the environment and serve an installation of its own.
        raise Malformed("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are for apps that others install; unset them.")
    if (app is None) == (signing is None):
        raise Malformed(
            "Set either SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP), not both and not neither."
        )
    api_url = values.get("SLACK_API_URL") or SLACK_API
    return SlackSettings(
        bot_token=bot,
        app_token=app,
        signing_secret=signing,
        api_url=api_url if api_url.endswith("/") else f"{api_url}/",
    )


def _secret(values: Mapping[str, str], name: str, prefix: str) -> str | None:
    """Return a secret that may be real. An empty, blank or copied placeholder is a mistake, never "no secret"."""
    if name not in values:
        return None
    value = values[name].strip()
    if len(value) < _SHORTEST_SECRET or _PLACEHOLDER.search(value):
        raise Malformed(f"{name} is empty or a placeholder; set the real one or leave it out altogether.")
    if not value.startswith(prefix):
        raise Malformed(f"{name} is of the wrong kind: it should start with {prefix}.")
    return value


def _listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the highest TCP port
        raise Malformed("COUNTERSIGN_LISTEN is HOST:PORT, such as 127.0.0.1:8080.")
    return host.strip("[]"), int(port)


def _networks(values: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks in a list with commas; an address is a network of one."""
    try:
        found = tuple(ip_network(one.strip()) for one in values.get(name, "").split(",") if one.strip())
    except ValueError as error:
        raise Malformed(f"{name} is a list of addresses or networks, such as 10.0.0.7,10.1.0.0/16.") from error
    if any(network.prefixlen == 0 for network in found):
        raise Malformed(f"{name} names every address, so anybody's X-Forwarded-For would be believed.")
    return found


def _yes_or_no(values: Mapping[str, str], name: str) -> bool:
    value = values.get(name, "no").lower()
    if value not in {"yes", "no"}:
        raise Malformed(f"{name} is yes or no.")
    return value == "yes"


def _passwords(*urls: str) -> tuple[str, ...]:
    return tuple(found[1] for url in urls if (found := re.search(r"://[^:/@]*:([^@]+)@", url)))
