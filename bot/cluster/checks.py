"""Checks: does a cluster grant what Countersign needs there, and nothing more? Asked when the bot starts.

Every account's token is minted and its owner confirmed, its rights are held against the allow-list in every namespace that
matters, and the fences are tried out. What is not as it should be is a :class:`Finding`: a sentence that says which account,
what, and what to do. A grave one keeps ``serve`` from starting: an account that may do too much is a way round every
approval, one that may do too little fails after somebody has approved.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from approvals.accounts import Installation, Role, ServiceAccount
from approvals.errors import Forbidden
from bot.cluster import identities, reviews, trials
from bot.cluster.access import Holding, inspector_of, namespaces_of
from bot.cluster.answers import describe
from bot.cluster.asking import Declined
from bot.cluster.calls import Client, Identity
from bot.cluster.identities import Open
from bot.cluster.rights import Right, rights_of
from bot.cluster.trials import Trial

T = TypeVar("T")

_APPLY: Final = "Apply the manifests again (countersign manifests)."
_ELSEWHERE: Final = ("kube-system", "default")
"""Namespaces in which no agent acts: a grant for the whole cluster shows there too."""

_TRIALS: Final[Mapping[Role, tuple[Callable[[Client, Holding, str], Trial], str]]] = {
    Role.PLANNER: (trials.planner_writes, "write, and must only try out (dry run)"),
    Role.EXECUTOR: (trials.executor_oversteps, "change what its verb does not"),
}
"""What must be refused to whom, and what it would mean were it not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be, in words that tell what to do."""

    sentence: str
    is_grave: bool = True
    """Whether the bot must not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks of one environment's cluster."""

    environment: str
    own: Identity
    installation: Installation
    """Whose accounts they should be, the bot's own among them."""
    holdings: Sequence[Holding]
    canary: str
    open_line: Open

    def findings(self) -> Iterator[Finding]:
        """Give what is wrong; nothing is good.

        Raises:
            Unavailable: The cluster cannot be asked.
        """
        stranger = self._who_is_the_bot()
        if stranger is not None:
            yield stranger
            return  # whatever else could be said would only repeat it
        yield from self._compare("the bot's own account", self.own, self._own_rights())
        yield from self._fence_of_tokens()
        for holding in self.holdings:
            yield from self._of(holding)

    @property
    def _bot(self) -> ServiceAccount:
        return self.installation.bot

    def _who_is_the_bot(self) -> Finding | None:
        try:
            name = self._with(self.own, identities.who_am_i).get("username")
        except Declined as refusal:
            return self._found(
                f"the cluster does not accept the bot's own credential ({describe(refusal.answer)}). "
                "Give it a kubeconfig with a good one."
            )
        if name == self._bot.username:
            return None
        return self._found(
            f"the bot's own account is {name} and should be {self._bot.username}, which may do nothing but mint tokens. "
            "Give it a kubeconfig of that service account."
        )

    def _own_rights(self) -> dict[str, tuple[Right, ...]]:
        names: dict[str, set[str]] = {}
        for holding in (*self.holdings, *([inspector_of(self.installation)] if self.holdings else [])):
            names.setdefault(holding.account.namespace, set()).add(holding.account.name)
        rights: dict[str, tuple[Right, ...]] = {
            namespace: (Right(group="", resource="serviceaccounts/token", verb="create", names=frozenset(accounts)),)
            for namespace, accounts in names.items()
        }
        rights["kube-system"] = (Right(group="", resource="namespaces", verb="get", names=frozenset({"kube-system"})),)
        return rights

    def _fence_of_tokens(self) -> Iterator[Finding]:
        if not self.holdings:
            return
        account = self.holdings[0].account
        if self._with(self.own, lambda line: trials.bot_mints_too_long(line, account)) is Trial.LET_THROUGH:
            yield self._found(
                f"the bot could mint a token of {_named(account)} for an hour: the admission policy for tokens is "
                f"missing, or does not know {self._bot.username}. {_APPLY}"
            )

    def _of(self, holding: Holding) -> Iterator[Finding]:
        try:
            minted = identities.mint(self.own, holding.account, open_line=self.open_line)
        except Forbidden as refusal:
            yield self._found(f"{refusal.sentence} {_APPLY}")
            return
        who = f"the account {_named(holding.account)}"
        yield from self._compare(who, minted.identity, {holding.account.namespace: rights_of(holding.rules)})
        yield from self._fence_of(holding, minted.identity)

    def _fence_of(self, holding: Holding, identity: Identity) -> Iterator[Finding]:
        if holding.role not in _TRIALS:
            return
        attempt, what = _TRIALS[holding.role]
        place = f"{holding.account.namespace}/{self.canary}"
        trial = self._with(identity, lambda line: attempt(line, holding, self.canary))
        if trial is Trial.LET_THROUGH:
            words = f"the account {_named(holding.account)} could {what}: an admission policy is missing."
            yield self._found(f"{words} {_APPLY}")
        if trial is Trial.NO_CANARY:
            yield self._found(f"the Deployment {place}, on which the fences are tried out, is missing. {_APPLY}")

    def _compare(self, who: str, identity: Identity, allowed: Mapping[str, tuple[Right, ...]]) -> Iterator[Finding]:
        """Compare an account's rights in every namespace that matters with what it is *allowed* in each."""
        places = tuple(dict.fromkeys((*namespaces_of(self.holdings), self._bot.namespace, *_ELSEWHERE)))
        seen = self._with(identity, lambda line: reviews.compare(line, allowed=allowed, namespaces=places))
        for right, namespaces in seen.too_much.items():
            yield self._found(
                f"{who} may also {right} in {', '.join(namespaces)}. Find the binding that lets it "
                "(kubectl get rolebindings,clusterrolebindings -A -o wide) and take it away."
            )
        for right, namespace in seen.too_little:
            yield self._found(f"{who} may not {right} in {namespace}, and has to. {_APPLY}")
        if seen.is_partial:
            words = (
                f"what {who} may do cannot be listed in full, because another authorizer takes part; "
                "the most dangerous rights were asked for one by one."
            )
            yield Finding(sentence=f"{self.environment}: {words}", is_grave=False)

    def _with(self, identity: Identity, do: Callable[[Client], T]) -> T:
        with self.open_line(identity) as line:
            return do(line)

    def _found(self, words: str) -> Finding:
        return Finding(sentence=f"{self.environment}: {words}")


def _named(account: ServiceAccount) -> str:
    return f"{account.namespace}/{account.name}"
