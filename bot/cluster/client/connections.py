"""Connections: the bot's own account at each environment's cluster.

It is read from a kubeconfig (path and context) or from the pod's service account, and read anew at least once a minute, so
that rotated tokens and certificates are noticed. Whatever would weaken the connection is refused: no verification of the
server's certificate, plain HTTP to anything but loopback. What the account may do is :mod:`bot.cluster.rights.access`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from kubernetes.client import Configuration
from kubernetes.client.rest import should_bypass_proxies
from kubernetes.config import ConfigException, load_incluster_config
from yaml import YAMLError

from approvals.errors import Unavailable
from bot.cluster.client.calls import Endpoint, Identity, can_be_token
from bot.cluster.client.kubeconfig import what_is_ignored, what_lacks, why_no_pod, why_unusable
from bot.cluster.client.plugins import LONGEST_PLUGIN, load_bounded
from bot.cluster.client.sources import Source

_READ_ANEW_AFTER: Final = 60.0
"""Seconds: kubelet replaces a pod's token long before it ends, and plugins' tokens live for minutes at least."""


_NO_CREDENTIAL: Final = (
    "no_credential",
    "it yields neither a token nor a client certificate: give its user one, or see why the program that should (exec) does not",
)

_UNFIT: Final = "not_a_token"
_UNFIT_WORDS: Final = (
    "what it yields as a token holds a space, a line break or a character that no token has:"
    " write one token there, alone"
)

_NOT_ONE: Final = ("kubeconfig_not_one", "it is no kubeconfig: a list or a mapping in it is something else")
_TOO_SLOW: Final = "plugin_too_slow"
_TOO_SLOW_WORDS: Final = (
    f"the program that its user names (exec) did not end within {LONGEST_PLUGIN:g} seconds: see whether it waits for somebody to"
    " log in, or for a network"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """The last time that a source yielded nothing."""

    at: float
    took: float
    """Seconds."""
    error: "Unusable"


class Connections:
    """The bot's own identity, by environment."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        """Read nothing yet; *sources* may grow while this lives."""
        self._sources = sources
        self._known: dict[Source, tuple[float, Identity]] = {}
        self._failed: dict[Source, _Failure] = {}
        self._lock = Lock()
        self._reading: defaultdict[Source, Lock] = defaultdict(Lock)
        """Held by who reads a source: a program that yields a credential is run once for all who wait for it."""

    def source(self, environment: str) -> Source:
        """Return where *environment*'s account comes from.

        Raises:
            Unavailable: No cluster is configured for it.
        """
        source = self._sources.get(environment)
        if source is None:
            raise Unavailable(f"No cluster is configured for {environment}.", code="cluster_not_configured")
        return source

    def own(self, environment: str) -> Identity:
        """Return the bot's own identity at *environment*'s cluster, read at most a minute ago.

        Raises:
            Unavailable: None is configured, or what is configured cannot be used.
        """
        source = self.source(environment)
        identity = self._fresh(source)
        if identity is not None:
            return identity
        try:
            return self._read(source)
        except Unusable as error:
            sentence = f"The connection to the cluster of {environment} cannot be used"
            raise Unavailable(
                f"{sentence}; its operators are told why.",
                code="cluster_not_configured",
                cause=error.code,
                detail=f"{sentence}: {error}. It comes from {source}.",
            ) from error

    def _fresh(self, source: Source) -> Identity | None:
        with self._lock:
            known = self._known.get(source)
        return known[1] if known is not None and monotonic() - known[0] < _READ_ANEW_AFTER else None

    def _read(self, source: Source) -> Identity:
        """Return what *source* yields, read by one thread for all that wait.

        A failure counts for as long as it took to find: a program that hung is not run again and again.
        """
        with self._lock:
            reading = self._reading[source]
        with reading:
            identity = self._fresh(source)
            if identity is not None:
                return identity
            failure = self._failed.pop(source, None)
            began = monotonic()
            if failure is not None and began - failure.at < failure.took:
                self._failed[source] = failure
                raise Unusable(str(failure.error), code=failure.error.code)
            try:
                identity = read_identity(source)
            except Unusable as error:
                self._failed[source] = _Failure(at=monotonic(), took=monotonic() - began, error=error)
                raise
            with self._lock:
                self._known[source] = (monotonic(), identity)
            return identity

    def forget(self, environment: str) -> None:
        """Read the identity anew when it is next asked for: the cluster did not accept it."""
        with self._lock:
            self._known.pop(self.source(environment), None)


class Unusable(Exception):
    """A source yields no identity that may be used; the text is ours and says why and what to do."""

    def __init__(self, words: str, *, code: str) -> None:
        """Keep both."""
        super().__init__(words)
        self.code = code


def read_identity(source: Source) -> Identity:
    """Return the identity that *source* yields now.

    Raises:
        Unusable: It cannot be read, yields no credential, or would weaken the connection.
    """
    configuration = Configuration()
    was_ended = False
    if source.kubeconfig is None and source.context is not None:
        # The pod's account leads to the cluster that the pod is in, whatever the context says.
        raise Unusable(
            f"the context {source.context} is one of a kubeconfig, and none is set (COUNTERSIGN_KUBECONFIG)",
            code="no_kubeconfig",
        )
    try:
        if source.kubeconfig is None:
            load_incluster_config(configuration)
        else:
            was_ended = load_bounded(source.kubeconfig, source.context, configuration)
    except (ConfigException, OSError, YAMLError, ValueError, TypeError, KeyError) as error:
        # Unchained: the library's own words may quote what it could not read, and a kubeconfig holds credentials.
        code, words = (
            why_no_pod(error) if source.kubeconfig is None else why_unusable(source.kubeconfig, source.context, error)
        )
        raise Unusable(words, code=code) from None
    except AttributeError:
        lacks = None if source.kubeconfig is None else what_lacks(source.kubeconfig, source.context)
        code, words = lacks or _NOT_ONE
        raise Unusable(words, code=code) from None
    if was_ended:
        raise Unusable(_TOO_SLOW_WORDS, code=_TOO_SLOW)
    return _checked(configuration, source)


def _checked(configuration: Configuration, source: Source) -> Identity:
    host = configuration.host
    _check_host(host, verified=configuration.verify_ssl)
    ignored = None if source.kubeconfig is None else what_is_ignored(source.kubeconfig, source.context)
    if ignored is not None:
        raise Unusable(ignored[1], code=ignored[0])
    authorization = _authorization(configuration)
    if authorization is None and configuration.cert_file is None:
        lacks = None if source.kubeconfig is None else what_lacks(source.kubeconfig, source.context)
        code, words = lacks or _NO_CREDENTIAL
        raise Unusable(words, code=code)
    proxied = configuration.proxy and not _is_loopback(host)
    if proxied and should_bypass_proxies(host, configuration.no_proxy or ""):
        proxied = False
    endpoint = Endpoint(
        host=host.rstrip("/"),
        ca_file=configuration.ssl_ca_cert,
        tls_server_name=configuration.tls_server_name,
        proxy=configuration.proxy if proxied else None,
    )
    return Identity(
        endpoint=endpoint,
        authorization=authorization,
        cert_file=configuration.cert_file,
        key_file=configuration.key_file,
    )


def _authorization(configuration: Configuration) -> str | None:
    """Return the header's value; None where there is no token. Space around a token is none of it: files end with a line."""
    header = configuration.auth_settings().get("BearerToken")
    scheme, _, token = ("" if header is None else str(header["value"])).strip().partition(" ")
    token = token.strip()
    if not token:
        return None
    if not can_be_token(token):
        # Nothing of it is told: most of it may be a token.
        raise Unusable(_UNFIT_WORDS, code=_UNFIT)
    return f"{scheme} {token}"


def _check_host(host: str, *, verified: bool) -> None:
    scheme = urlsplit(host).scheme
    if scheme not in {"http", "https"} or not _names_server(host):
        raise Unusable("its server is not an HTTP address: mend it", code="no_http_address")
    if scheme == "http" and not _is_loopback(host):
        raise Unusable(
            "its server is plain HTTP, which would show every token on the network: use https", code="plain_http"
        )
    if scheme == "https" and not verified:
        raise Unusable(
            "it switches off the check of the server's certificate (insecure-skip-tls-verify): name the authority instead",
            code="not_verified",
        )


def _names_server(host: str) -> bool:
    """Tell whether *host* names a machine, and no port that is none: whoever asks later where it is would be thrown by one."""
    parts = urlsplit(host)
    try:
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.hostname)


def _is_loopback(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
