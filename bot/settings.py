"""Settings: read once, from the environment or one file of the same names, then frozen. Nobody else looks at the environment.

A secret is never shown: :meth:`Settings.__repr__` leaves it out, and :attr:`Settings.secrets` lists what the log must blank.
"""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from approvals.errors import Malformed
from bot.files import read_whole

DEFAULT_LISTEN: Final = "127.0.0.1:8080"
DEFAULT_DATABASE: Final = "sqlite:///countersign.db"
DEFAULT_POLICY: Final = "policy.yml"
SLACK_API: Final = "https://slack.com/api/"

LARGEST_FILE: Final = 64 * 1024
"""In bytes, of the settings file; ten times what all settings at their longest have."""

_NAMES: Final = frozenset(
    {
        "COUNTERSIGN_POLICY",
        "COUNTERSIGN_DATABASE_URL",
        "COUNTERSIGN_MIGRATION_DATABASE_URL",
        "COUNTERSIGN_LISTEN",
        "COUNTERSIGN_TLS_IN_FRONT",
        "COUNTERSIGN_TRUSTED_PROXIES",
        "COUNTERSIGN_KUBECONFIG",
        "COUNTERSIGN_KUBE_CONTEXT",
        "COUNTERSIGN_CLUSTER_NOTE",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_CLIENT_ID",
        "SLACK_CLIENT_SECRET",
        "SLACK_API_URL",
    }
)
"""What a settings file may say under a name that begins with one of ours. In the environment others are left alone: a cluster
puts the addresses of its Services there."""

_OURS: Final = ("COUNTERSIGN_", "SLACK_")

_FILE: Final = "COUNTERSIGN_SETTINGS"
_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*")
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", re.ASCII)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
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
    """``SLACK_BOT_TOKEN``, ``xoxb-...``: with which everything is posted and asked."""
    app_token: str | None = field(repr=False)
    """``SLACK_APP_TOKEN``, ``xapp-...``: Socket Mode's, the default, since it needs no public address; None in HTTP mode."""
    signing_secret: str | None = field(repr=False)
    """``SLACK_SIGNING_SECRET``: HTTP mode's, with which each of Slack's calls is verified; None in Socket Mode."""
    api_url: str
    """``SLACK_API_URL``. Default ``https://slack.com/api/``; any server that speaks Slack's protocol."""

    @property
    def transport(self) -> Transport:
        """Socket Mode where there is an app token, else signed HTTP."""
        return Transport.SOCKET if self.app_token is not None else Transport.HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is set from outside the policy, read once. Paths are as given, relative to the working folder."""

    policy: Path
    """``COUNTERSIGN_POLICY``: the policy file. Default ``policy.yml``, so that a folder with a policy in it is enough to begin.

    Looked at every ten seconds; a changed file rules from then on, a broken one changes nothing.
    """
    database_url: str = field(repr=False)
    """``COUNTERSIGN_DATABASE_URL``: the database. Default ``sqlite:///countersign.db``, since one machine needs no server.

    A SQLite file on a local disk, for one process; or PostgreSQL, for several.
    """
    migration_database_url: str = field(repr=False)
    """``COUNTERSIGN_MIGRATION_DATABASE_URL``: the address of the role that owns the tables. Default: the database's own.

    Set where the service's role may not change tables, so that it can only insert into the audit trail.
    """
    host: str
    """``COUNTERSIGN_LISTEN`` before its colon: where the API listens. Default ``127.0.0.1``.

    Tokens travel in the clear without TLS, so another address is refused unless ``COUNTERSIGN_TLS_IN_FRONT`` is on.
    """
    port: int
    """``COUNTERSIGN_LISTEN`` after its colon, 0 to 65535. Default 8080; 0 lets the machine choose, and the log says which."""
    tls_in_front: bool
    """``COUNTERSIGN_TLS_IN_FRONT``: ``yes`` where TLS ends in front of the API. Default ``no``: nobody listens beyond loopback by
    mistake."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """``COUNTERSIGN_TRUSTED_PROXIES``: networks, with commas, whose word on where a call comes from counts. Default: none.

    Without it a call comes from its socket's address. A proxy that is not named makes all its callers one, who share one brake.
    """
    kubeconfig: Path | None
    """``COUNTERSIGN_KUBECONFIG``: the file with the bot's own account. Default: the account of the pod that the bot runs in."""
    kube_context: str | None
    """``COUNTERSIGN_KUBE_CONTEXT``: which of its contexts. Default: its current one; a context that the policy names wins."""
    cluster_note: str | None
    """``COUNTERSIGN_CLUSTER_NOTE``: what ``status`` says of the cluster. Default: where the account comes from."""
    slack: SlackSettings | None
    """``SLACK_BOT_TOKEN`` and its companions. Default: none; commands that need no Slack still work, and ``serve`` refuses."""

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
    """Return the settings in a file of ``NAME=value`` lines; ``#`` starts a comment line, quotes around a value go.

    A name that is given twice or is none of ours would be obeyed otherwise than it reads, such as on another database.
    """
    try:
        text = read_whole(path, most=LARGEST_FILE).decode("utf-8-sig")
    except OSError as error:
        raise Malformed(
            f"{_FILE}: the file {path} cannot be read: {error.strerror}. Name another file, or unset it."
        ) from error
    except UnicodeDecodeError:
        # Unchained: the codec's own words hold the bytes, and those of this file are secrets.
        raise Malformed(f"{_FILE}: the file {path} is not UTF-8. Save it as UTF-8.") from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise Malformed(f"{path}, line {number}: it is not NAME=value.")
        name = found[1]
        if _CONTROLS.search(line):
            raise Malformed(f"{path}, line {number}: {name} holds a control character.")
        if name.startswith(_OURS) and name not in _NAMES:
            near = get_close_matches(name, _NAMES, n=1)
            raise Malformed(
                f"{path}, line {number}: there is no setting called {name}.{f' Is it {near[0]}?' if near else ''}"
            )
        if name in values:
            raise Malformed(f"{path}, line {number}: {name} is set a second time. Leave one of them.")
        values[name] = found[2].strip("\"'")
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
    return SlackSettings(
        bot_token=bot,
        app_token=app,
        signing_secret=signing,
        api_url=_api_url(values.get("SLACK_API_URL") or SLACK_API),
    )


def _api_url(text: str) -> str:
    """Return the address of Slack's API, with a slash at its end.

    Every call there carries the bot's token, so it goes to this machine or through TLS. What is no such address is found now
    and not at the first call, whose error would show the name and password in it.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if (
        parts.scheme not in {"https", "http"}
        or not _is_host(host)
        or "@" in parts.netloc
        or re.search(r"[?#\s\\]", text)
        or not text.isascii()
        or not text.isprintable()
    ):
        raise Malformed("SLACK_API_URL is https://HOST/PATH, with no name, password, query or blank in it.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise Malformed("SLACK_API_URL is plain http to another machine, which would read the bot's token. Use https.")
    return text if text.endswith("/") else f"{text}/"


def _is_host(text: str) -> bool:
    """Tell whether *text* may be the name or address of a machine."""
    try:
        ip_address(text)
    except ValueError:
        # A name whose last part is a number is a mistyped address.
        return _HOST.fullmatch(text) is not None and not text.rstrip(".").rpartition(".")[2].isdigit()
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


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
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _is_host(bare):
        raise Malformed("COUNTERSIGN_LISTEN names no host: it is HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080.")
    return bare, int(port)


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
    """Return every password in the databases' addresses, as it is written there and as it is meant.

    Where a name and password end is decided as SQLAlchemy does: at the first colon and the first at-sign after that, so that the
    name may hold an at-sign itself.
    """
    written = [found[1] for url in urls if (found := re.search(r"://[^:/]*:([^@]*)@", url))]
    asked = [value for url in urls for name, value in parse_qsl(url.partition("?")[2]) if name.endswith("password")]
    said = (form for text in (*written, *asked) for form in (text, unquote(text), quote(text, safe="")))
    return tuple(dict.fromkeys(said))
