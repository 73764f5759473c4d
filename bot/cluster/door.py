"""The door: planner, executor and observer put together as the ``Cluster`` port that the use cases know.

Each operation opens a line for one identity and closes it. A token or an account that the server does not accept (401) is
replaced and the operation done once more: never the write, which belongs to whoever called it.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from typing_extensions import override

from approvals.change.action import Wish
from approvals.change.plan import Bound, Preview
from approvals.errors import Forbidden, Unavailable, Unplannable
from approvals.identity.accounts import Installation, ServiceAccount
from approvals.ports.clearance import Obstacle
from approvals.ports.cluster import Came, Cluster, Credential, Reply, Surroundings
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed, Verb
from bot.cluster.client import asking, identities, paths
from bot.cluster.client.answers import describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client, Identity, Times
from bot.cluster.client.connections import Connections
from bot.cluster.client.identities import Cache, Minted
from bot.cluster.client.sources import Source
from bot.cluster.execution import executor
from bot.cluster.execution.interpreter import Interpreter
from bot.cluster.execution.observer import observe, surroundings
from bot.cluster.rights.access import Grant, holdings_of
from bot.cluster.rights.checks import Checks, ClusterFinding
from bot.cluster.rights.manifests import canary
from bot.cluster.rights.statement import Misstated, Report, Statement
from bot.keeping import raises_only

log = structlog.get_logger(__name__)

T = TypeVar("T")

ASKING: Final = Times(connect=2.0, read=5.0, whole=8.0)
"""For reads, dry runs and minting. Minting is two calls between the start record and the send, which may be 5 s apart."""

LOOKING_AROUND: Final = Times(connect=1.0, read=2.0, whole=2.0)
"""For what only a reason is read from: a list that takes longer is done without."""

WRITING: Final = Times(connect=2.0, read=15.0, whole=15.0)
"""For the write: the longer we wait for the answer, the less often it is lost; a worker's lease has to outlast it."""


def _without_end() -> float:
    return float("inf")


def _unreported(source: Source, wrong: Obstacle | None) -> None:
    """Tell nobody: whoever asks for something is told by the refusal."""
    del source, wrong


class KubernetesCluster(Cluster):
    """The ``Cluster`` port on real API servers, one for each environment."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        installation: Installation,
        mac_key: bytes,
        now: Callable[[], datetime],
        version: str,
        report: Report = _unreported,
        asking_times: Times = ASKING,
        writing_times: Times = WRITING,
    ) -> None:
        """Connect to nothing yet.

        Args:
            sources: Where the bot's own account comes from, by environment; it may grow.
            installation: Whose accounts act.
            mac_key: Keys the hashes that stand for values that are not shown. The same for as long as plans live.
            now: The aware instant.
            version: Ours, for the user agent.
            report: Is told, each time a cluster has said which one it is, whether that is what the policy says.
            asking_times: How long a call may take that changes nothing.
            writing_times: How long the write may take.
        """
        self.connections = Connections(sources)
        self.statement = Statement(report)
        self._installation = installation
        self._mac_key = mac_key
        self._now = now
        self._agent = f"countersign/{version}"
        self._asking_times = asking_times
        self._writing_times = writing_times
        self._tokens = Cache(now)
        self.writes_until: Callable[[], float] = _without_end
        """Returns until when, as :func:`time.monotonic` tells it, a write may begin to leave: while this process leads."""

    @raises_only(Unplannable)
    @override
    def preview(self, wish: Wish, *, verb: Verb, occasion: PlanSeed) -> Preview:
        """Return what *wish* would change; see :class:`approvals.ports.cluster.Cluster`."""

        def look(line: Client) -> Preview:
            interpreter = Interpreter(
                line=line,
                verb=verb,
                action=wish.action,
                occasion=occasion,
                mac=self.mac,
                now=self._now,
            )
            return interpreter.preview(uid)

        uid = self.cluster_uid(wish.environment, escalation=occasion.escalation)
        account = self._installation.planner(wish.agent, wish.action.target.namespace)
        return self._as(wish.environment, account, look, escalation=occasion.escalation)

    @raises_only(Forbidden)
    @override
    def mint(self, *, environment: str, account: ServiceAccount) -> Minted:
        """Return a fresh token of *account*; see :class:`approvals.ports.cluster.Cluster`."""

        def minted(own: Identity) -> Minted:
            # Asked of the very identity that mints: what its context led to a minute ago says nothing.
            self._uid_of(environment, own)
            return identities.mint(own, account, open_line=self._line)

        return self._by_itself(environment, minted)

    @override
    def send(
        self, *, environment: str, bound: Bound, step: int, body: bytes, credential: Credential, within: timedelta
    ) -> Reply:
        """Write one step, once; see :class:`approvals.ports.cluster.Cluster`.

        It goes to the very server that minted *credential*, whatever the environment's settings say by now.

        Raises:
            TypeError: *credential* is none of this door's; nothing was sent.
        """
        leave_by = min(monotonic() + within.total_seconds(), self.writes_until())
        del environment
        if not isinstance(credential, Minted):
            raise TypeError("the credential is not one of this door's")
        refusal = executor.unfit(credential, bound, now=self._now())
        if refusal is not None:
            return refusal
        who, what = credential.identity, bound.escalation
        with (
            self._line(who, escalation=what) as looking,
            self._line(who, escalation=what, times=self._writing_times) as writing,
        ):
            verb = verb_called(bound.verb)
            try:
                return executor.Executor(
                    looking=looking, writing=writing, verb=verb, bound=bound, step=bound.steps[step], mac=self.mac
                ).send(body, leave_by=leave_by)
            except Exception:
                # It may have left by then: whatever went wrong, only a read can tell.
                log.exception("send.failed", escalation=what)
                return Reply(
                    came=Came.LOST, message="Countersign failed on the write, so whether it landed is not certain."
                )

    @raises_only()
    @override
    def observe(self, *, environment: str, agent: str, bound: Bound, step: int) -> Mapping[str, Any] | None:
        """Return the step's object as it is now; see :class:`approvals.ports.cluster.Cluster`."""
        one = bound.steps[step]
        if self.cluster_uid(environment, escalation=bound.escalation) != bound.cluster_uid:
            # Nothing that another cluster holds, or lacks, says whether this change has landed.
            raise Unavailable(
                "Another cluster answers than the one that this was approved for.", code="another_cluster"
            )
        account = self._installation.observer(agent, one.namespace)
        return self._as(environment, account, lambda line: observe(line, one), escalation=bound.escalation)

    @raises_only()
    @override
    def surroundings(
        self, *, environment: str, agent: str, bound: Bound, step: int, workload: Mapping[str, Any], since: datetime
    ) -> Surroundings:
        """Return what stands around the step's object; see :class:`approvals.ports.cluster.Cluster`."""
        one = bound.steps[step]
        account = self._installation.observer(agent, one.namespace)
        return self._as(
            environment,
            account,
            lambda line: surroundings(line, one, workload, since=since),
            escalation=bound.escalation,
            times=LOOKING_AROUND,
        )

    @override
    def mac(self, text: str) -> str:
        """Return the keyed hash of a value that is not shown; see :class:`approvals.ports.cluster.Cluster`."""
        return hmac.new(self._mac_key, text.encode(), sha256).hexdigest()

    def cluster_uid(self, environment: str, *, escalation: str | None = None) -> str:
        """Return what tells this cluster from any other: the uid of its namespace ``kube-system``.

        Raises:
            Unavailable: It cannot be read, or is not what the policy's statement says.
        """
        return self._by_itself(environment, lambda own: self._uid_of(environment, own, escalation=escalation))

    def _uid_of(self, environment: str, own: Identity, *, escalation: str | None = None) -> str:
        with self._line(own, escalation=escalation) as line:
            uid = _uid_seen_by(line)
        self.statement.confirm(self.connections.source(environment), uid)
        return uid

    def credential(self, environment: str) -> object:
        """Return the bot's own identity at *environment*'s cluster, by which a later one is told apart; it shows no token.

        Raises:
            Unavailable: None is configured, or what is configured cannot be used.
        """
        return self.connections.own(environment)

    def whereabouts(self, environment: str) -> str:
        """Return where *environment*'s cluster is and where our credential there comes from, in a sentence; empty if unknown.

        It holds no secret. Only operators should read it.
        """
        try:
            server = urlsplit(self.connections.own(environment).endpoint.host)
        except Unavailable:
            return ""  # What was raised then says it.
        port = "" if server.port is None else f":{server.port}"
        return f"It is {server.scheme}://{server.hostname}{port}, by {self.connections.source(environment)}."

    def findings(self, environment: str, grants: Iterable[Grant]) -> tuple[ClusterFinding, ...]:
        """Return what is wrong with *environment*'s cluster, which should grant exactly *grants*; empty is good.

        Args:
            environment: Which cluster, and the word that the findings begin with.
            grants: All that is granted there, also for other environments that share it.

        Raises:
            Unavailable: The cluster cannot be asked.
        """
        own = self.connections.own(environment)
        wrong = self._misstated(environment)
        if wrong is not None:
            return (wrong,)  # what is granted in some other cluster says nothing
        return tuple(self._checks(environment, own, grants).findings())

    def standing(self, environment: str, grants: Iterable[Grant]) -> tuple[ClusterFinding, ...]:
        """Return what is wrong now with what stands in *environment*'s cluster, by its lists alone; as :meth:`findings`.

        Raises:
            Unavailable: The cluster cannot be asked.
        """
        try:
            self.cluster_uid(environment)
        except Misstated as wrong:
            return (ClusterFinding(sentence=f"{environment}: {wrong.sentence}", code=wrong.code),)
        held = tuple(grants)
        return self._by_itself(environment, lambda own: tuple(self._checks(environment, own, held).standing()))

    def _checks(self, environment: str, own: Identity, grants: Iterable[Grant]) -> Checks:
        return Checks(
            environment=environment,
            own=own,
            installation=self._installation,
            holdings=holdings_of(grants, self._installation),
            canary=canary(self._installation),
            open_line=self._line,
        )

    def _misstated(self, environment: str) -> ClusterFinding | None:
        try:
            self.cluster_uid(environment)
        except Misstated as wrong:
            return ClusterFinding(sentence=f"{environment}: {wrong.sentence}", code=wrong.code)
        except Unavailable:
            return None  # the checks ask again, and say what it is
        return None

    def _as(
        self,
        environment: str,
        account: ServiceAccount,
        do: Callable[[Client], T],
        *,
        escalation: str,
        times: Times | None = None,
    ) -> T:
        """Return what *do* makes of a line for a planner or an observer, with a new token where the old one is refused."""
        minted, is_fresh = self._token(environment, account)
        try:
            with self._line(minted.identity, escalation=escalation, times=times) as line:
                return do(line)
        except Declined as refusal:
            self._tokens.drop(minted)
            if is_fresh:
                raise _not_accepted(f"the account {account.name}") from refusal
        return self._as(environment, account, do, escalation=escalation, times=times)

    def _token(self, environment: str, account: ServiceAccount) -> tuple[Minted, bool]:
        """Return a token of *account*, and whether it was minted just now."""
        known = self._tokens.get(self.connections.own(environment).endpoint, account)
        if known is not None:
            return known, False
        try:
            minted = self.mint(environment=environment, account=account)
        except Forbidden as refusal:
            # Whoever asked may ask; it is our own account, or its rights, that is not there: an outage of ours.
            raise Unavailable(refusal.sentence, code=refusal.code) from refusal
        self._tokens.keep(minted)
        return minted, True

    def _by_itself(self, environment: str, do: Callable[[Identity], T]) -> T:
        """Return what *do* makes of the bot's own identity, read anew where the server does not accept it."""
        try:
            return do(self.connections.own(environment))
        except Declined:  # 401: it may have been rotated
            self.connections.forget(environment)
        try:
            return do(self.connections.own(environment))
        except Declined as refusal:
            raise _not_accepted("the bot's own account") from refusal

    def _line(self, identity: Identity, *, escalation: str | None = None, times: Times | None = None) -> Client:
        agent = self._agent if escalation is None else f"{self._agent} req/{escalation}"
        return Client(identity, user_agent=agent, times=times or self._asking_times)


def _uid_seen_by(line: Client) -> str:
    try:
        return str(asking.get(line, paths.KUBE_SYSTEM)["metadata"]["uid"])
    except Declined as refusal:
        if refusal.is_unauthorised:
            raise
        words = describe(refusal.answer)
        raise Unavailable(
            f"The bot's own account may not read which cluster this is ({words}).", code="cluster_unknown"
        ) from refusal


def _not_accepted(who: str) -> Unavailable:
    sentence = f"The cluster does not accept {who}"
    cure = "its token or certificate has expired, was withdrawn or is another cluster's. Give it a fresh one"
    return Unavailable(f"{sentence}.", code="account_not_accepted", detail=f"{sentence}: {cure}.")
