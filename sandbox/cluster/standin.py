"""The stand-in as its users hold it: start and stop, what is in it, what somebody else does to it, what goes wrong.

Everything beside the API itself is a Python method and cannot be reached over HTTP.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sandbox.cluster import kubeconfig
from sandbox.cluster.api import Api
from sandbox.cluster.controller import Controller
from sandbox.cluster.declared import Declared
from sandbox.cluster.faults import Fault, Faults, Injected, On
from sandbox.cluster.fences import Fences
from sandbox.cluster.identities import AUDIENCE, Identities, User
from sandbox.cluster.journal import Entry, Journal
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.listener import Listener
from sandbox.cluster.options import Options
from sandbox.cluster.routes import Call
from sandbox.cluster.seed import Account, Seed
from sandbox.cluster.server import Server
from sandbox.cluster.store import RESOURCES, Key, Store
from sandbox.cluster.writes import Writer

_LONG: Final = timedelta(days=3650)
_SOMEBODY: Final = User(name="somebody", groups=("system:masters", "system:authenticated"))


def _utc_now() -> datetime:
    return datetime.now(UTC)


class StandIn:
    """A small stand-in for a Kubernetes API server, on loopback: ``with StandIn(directory, seed) as cluster:``.

    Args:
        directory: Where the kubeconfig file is written; made where it is missing.
        seed: What there is at first.
        rollout: How long a rollout takes once the controller has seen the change.
        lag: How long the controller does not see it.
        now: The clock of timestamps and of tokens' ends, for tests.
    """

    def __init__(
        self,
        directory: Path,
        seed: Seed | None = None,
        *,
        rollout: timedelta = timedelta(seconds=1.5),
        lag: timedelta = timedelta(milliseconds=100),
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._seed = seed or Seed()
        self._kubeconfig = directory / "kubeconfig"
        self._identities = Identities(self._seed.accounts, now)
        self._store = Store(self._seed, now)
        self._controller = Controller(self._store, lag=lag, duration=rollout)
        self._journal = Journal()
        self._faults = Faults()
        self.declared = Declared(self._seed.declared)
        """The roles, bindings and admission policies that can be listed; an administrator changes them here."""
        api = Api(self._seed, self._store, self._identities, self.declared, now)
        self._server = Server(api, self._journal, self._faults)
        self._listener = Listener(self._server.serve)

    def start(self) -> None:
        """Begin to serve, and write the kubeconfig file."""
        self._controller.start()
        self._listener.start()
        user = self._seed.user
        name = "admin" if user is None else user.username
        kubeconfig.write(self._kubeconfig, server=self.server, user=name, token=self.token(user))

    def stop(self) -> None:
        """End all threads and connections and remove the kubeconfig file; what was in it is gone."""
        self._server.stopping.set()
        self._listener.stop()
        self._controller.stop()
        self._kubeconfig.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """The API server's address, such as ``http://127.0.0.1:40123``."""
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig file of the seed's user; it is there while the stand-in runs."""
        return self._kubeconfig

    @property
    def context(self) -> str:
        """The kubeconfig's one context."""
        return kubeconfig.CONTEXT

    @property
    def uid(self) -> str:
        """The uid of the namespace kube-system, by which clusters are told apart."""
        with self._store.lock:
            return str(self._store.namespace("kube-system")["metadata"]["uid"])

    def token(self, account: Account | None = None) -> str:
        """Return a token of one of the seed's accounts (None: of an administrator) that outlasts any test."""
        if account is None:
            return self._identities.admin_token(life=_LONG)
        known = self._identities.account(account.namespace, account.name)
        return self._identities.mint(known, life=_LONG, audiences=(AUDIENCE,))[0]

    # What is there, and what somebody else does to it.

    def workload(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return a workload as it is now.

        Raises:
            Refused: 404.
        """
        with self._store.lock:
            return self._store.workload(_key(kind, namespace, name))

    def change(
        self, kind: str, namespace: str, name: str, patch: Mapping[str, Any], *, manager: str = "kubectl-edit"
    ) -> JsonObject:
        """Change a workload by a merge patch as somebody else, without a request, and return it.

        Raises:
            Refused: As the API would.
        """
        key = _key(kind, namespace, name)
        call = Call(verb="patch", group="apps", resource=key.resource, namespace=namespace, name=name)
        options = Options(field_manager=manager, field_validation="Strict")
        with self._store.lock:
            writer = Writer(store=self._store, fences=Fences(()))
            return writer.patch(_SOMEBODY, call, json.dumps(patch).encode(), options).body

    def scale(self, kind: str, namespace: str, name: str, replicas: int, *, manager: str = "kubectl") -> JsonObject:
        """Scale a workload as somebody else, through the scale subresource, and return the workload."""
        key = _key(kind, namespace, name)
        call = Call(
            verb="patch", group="apps", resource=key.resource, namespace=namespace, name=name, subresource="scale"
        )
        body = json.dumps({"spec": {"replicas": replicas}}).encode()
        with self._store.lock:
            writer = Writer(store=self._store, fences=Fences(()))
            writer.patch(_SOMEBODY, call, body, Options(field_manager=manager))
            return self._store.workload(key)

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create a workload; its pods become ready from now on. One of the same name is replaced by another object."""
        with self._store.lock:
            self._store.create(manifest)

    def put(self, manifest: Mapping[str, Any]) -> None:
        """Put a pod or an event there, to be listed: nothing acts by it. One of the same name is replaced."""
        with self._store.lock:
            self._store.put_bystander(manifest)

    def recreate(self, kind: str, namespace: str, name: str) -> None:
        """Delete a workload and create it again: the same name and specification, another uid."""
        with self._store.lock:
            key = _key(kind, namespace, name)
            before = self._store.workload(key)
            self._store.remove(key)
            metadata = {field: before["metadata"][field] for field in ("name", "namespace")}
            labels = before["metadata"].get("labels")
            metadata |= {"labels": labels} if labels else {}
            self._store.create({"kind": kind, "metadata": metadata, "spec": before["spec"]})

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete a workload.

        Raises:
            Refused: 404.
        """
        with self._store.lock:
            self._store.remove(_key(kind, namespace, name))

    # What came in.

    @property
    def requests(self) -> tuple[Entry, ...]:
        """The requests so far, oldest first; the last ten thousand are kept."""
        return self._journal.entries()

    def mutating_calls(self) -> tuple[Entry, ...]:
        """Return the requests that were meant to change an object for good, whatever became of them."""
        return tuple(entry for entry in self.requests if entry.is_mutating)

    def effects(self) -> tuple[Entry, ...]:
        """Return the requests that did change an object, whether or not their answer arrived."""
        return tuple(entry for entry in self.requests if entry.changed)

    def mints(self) -> tuple[Entry, ...]:
        """Return the requests for tokens."""
        return tuple(entry for entry in self.requests if entry.is_mint)

    # What goes wrong.

    def inject(self, fault: Fault, *, on: On | None = None, times: int = 1) -> Injected:
        """Let *fault* meet the next *times* requests that fit *on*; several faults are met in the order they were given."""
        return self._faults.add(fault, on=on or On(), times=times)

    def clear_faults(self) -> None:
        """Withdraw every fault that was not met yet."""
        self._faults.clear()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections inside the block, and end the open ones; the port stays the same."""
        self._listener.refuse()
        try:
            yield
        finally:
            self._listener.resume()


def _key(kind: str, namespace: str, name: str) -> Key:
    return Key(RESOURCES[kind], namespace, name)
