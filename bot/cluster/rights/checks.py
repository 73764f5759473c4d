"""Checks: does a cluster grant what Countersign needs there, and nothing more? Asked when the bot starts, and watched.

The inspector lists every role and binding once, and what each of our accounts may do anywhere is computed from that
(:mod:`bot.cluster.rights.rbac`); the admission policies are compared with the generated ones word by word
(:mod:`bot.cluster.rights.standing`). Each account's token is minted, its owner confirmed and its own review of its own namespace
asked for as a second witness, which knows of other authorizers as well; and each policy is tried out once, because a server may
have them switched off. A :class:`ClusterFinding` is something that is not as it should be, in a sentence: which account, what,
by which binding, and what to do. A grave one lets nothing start there: an account that may do too much is a way round every
approval, one that may do too little fails after somebody has approved. What can be computed from the inspector's lists is
asked again and again while the bot serves (:meth:`Checks.standing`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from approvals.errors import Forbidden
from approvals.identity.accounts import Installation, Role, ServiceAccount
from approvals.verbs.verb import Trial
from bot.cluster.client import identities
from bot.cluster.client.answers import describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client, Identity
from bot.cluster.client.identities import Open
from bot.cluster.rights import inspection, rbac, reviews, trials
from bot.cluster.rights.access import AccountRights, inspector_of, namespaces_of
from bot.cluster.rights.fences import fences
from bot.cluster.rights.inspection import Inspection
from bot.cluster.rights.rbac import Bindings, RoleGrant
from bot.cluster.rights.rules import Right, RulesReview, excess, missing, rights_of
from bot.cluster.rights.standing import fallen
from bot.cluster.rights.trials import TrialOutcome

T = TypeVar("T")

_APPLY: Final = "Apply the manifests again (countersign manifests)."
_SIDE_BY_SIDE: Final = 8
"""How many accounts are looked at at once: three calls each, of a few milliseconds."""

_MOST_WORDS: Final = 5
"""How many rights, accounts or subjects a sentence names before it counts the rest."""

_TRIALS: Final[Mapping[Role, tuple[Callable[[Client, AccountRights, Trial, str], TrialOutcome], str]]] = {
    Role.PLANNER: (trials.planner_writes, "write, and must only try out (dry run)"),
    Role.EXECUTOR: (trials.executor_oversteps, "change what its verb does not"),
}
"""What must be refused to whom, and what it would mean were it not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFinding:
    """Something that is not as it should be, in words that tell what to do."""

    sentence: str
    is_grave: bool = True
    """Whether nothing may start where it holds."""
    code: str = field(default="checks_failed", compare=False)
    """For programs: which kind of thing it is."""
    namespace: str | None = field(default=None, compare=False)
    """The namespace that alone it concerns; None where it concerns the whole cluster: a right too many is a way round
    every approval there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an account should hold: *allowed* by namespace, under None what it may do in the whole cluster."""

    account: ServiceAccount
    who: str
    allowed: Mapping[str | None, tuple[Right, ...]]

    def surplus(self, grant: RoleGrant) -> tuple[str, ...]:
        """Return, in words, what *grant* lets it do beyond that."""
        return excess(grant.seen, self.allowed.get(grant.namespace, ())) if grant.binds(self.account) else ()

    def lacking(self, grants: Iterable[RoleGrant], namespace: str | None) -> tuple[str, ...]:
        """Return, in words, what no grant lets it do in *namespace* that has to be."""
        rights = tuple(
            right
            for grant in grants
            if grant.namespace in {None, namespace} and grant.binds(self.account)
            for right in grant.seen.rights
        )
        return missing(RulesReview(rights=rights, paths=(), is_incomplete=False), self.allowed.get(namespace, ()))


@dataclass(slots=True, kw_only=True)
class Witnessed:
    """What came of looking at one account through its own token."""

    findings: list[ClusterFinding] = field(default_factory=list)
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks of one environment's cluster."""

    environment: str
    own: Identity
    installation: Installation
    """Whose accounts they should be, the bot's own among them."""
    holdings: Sequence[AccountRights]
    canary: str
    open_line: Open

    def findings(self) -> Iterator[ClusterFinding]:
        """Give what is wrong; nothing is good.

        Raises:
            Unavailable: The cluster cannot be asked.
        """
        stranger = self._who_is_the_bot()
        if stranger is not None:
            yield stranger
            return  # whatever else could be said would only repeat it
        if not self.holdings:
            yield from self._witness(self._bots, self.own).findings
            return
        inspected = self._inspect()
        if isinstance(inspected, ClusterFinding):
            yield inspected
            return  # without it nothing can be computed, and the manifests have to be applied first
        yield from self._of_policies(inspected)
        yield from self._of_rights(inspected)
        yield from self._of_roads(inspected)
        yield from self._of_witnesses(inspected)

    def standing(self) -> Iterator[ClusterFinding]:
        """Give what is wrong by the lists of policies, bindings, roles and namespaces alone; raises as :meth:`findings`.

        Nothing is tried out and no account but the inspector's is minted, so that it can be asked every half minute.
        """
        if not self.holdings:
            return
        inspected = self._inspect()
        if isinstance(inspected, ClusterFinding):
            yield inspected
            return
        yield from self._of_policies(inspected)
        yield from self._of_rights(inspected)

    # ------------------------------------------------------------------------------------------------- who asks

    def _who_is_the_bot(self) -> ClusterFinding | None:
        try:
            name = self._with(self.own, identities.who_am_i).get("username")
        except Declined as refusal:
            return self._found(
                f"the cluster does not accept the bot's own credential ({describe(refusal.answer)}). "
                "Give it a kubeconfig with a good one.",
                code="credential_refused",
            )
        if name == self._bot.username:
            return None
        return self._found(
            f"the bot's own account is {name} and should be {self._bot.username}, which may do nothing but mint tokens. "
            "Give it a kubeconfig of that service account.",
            code="other_account",
        )

    def _inspect(self) -> Inspection | ClusterFinding:
        account = inspector_of(self.installation).account
        try:
            minted = identities.mint(self.own, account, open_line=self.open_line)
        except Forbidden as refusal:
            return self._found(f"{refusal.sentence} {_APPLY}", code=refusal.code)
        try:
            return self._with(minted.identity, inspection.inspect)
        except Declined as refusal:
            return self._found(
                f"the account {_named(account)} may not list what the cluster grants ({describe(refusal.answer)}). {_APPLY}",
                code="right_missing",
            )

    # ---------------------------------------------------------------------------------------- what stands, computed

    def _of_policies(self, inspected: Inspection) -> Iterator[ClusterFinding]:
        generated = fences(self.installation)
        admission = inspected.admission
        for fault in fallen(policies=admission.policies, bindings=admission.bindings, generated=generated):
            yield self._found(f"{fault}. {_APPLY}", code="fence_missing")
        for namespace in namespaces_of(self.holdings):
            phase = inspected.namespaces.get(namespace)
            if phase is None:
                words = f"there is no namespace {namespace}. Make it, and apply the manifests again."
                yield self._found(words, code="namespace_missing", namespace=namespace)
            elif phase == "Terminating":
                words = f"the namespace {namespace} is being deleted."
                yield self._found(words, code="namespace_terminating", namespace=namespace)

    def _of_rights(self, inspected: Inspection) -> Iterator[ClusterFinding]:
        bindings = Bindings(inspected.grants)
        bound = [(held, bindings.of(held.account)) for held in self._everybody]
        holders: dict[int, list[Held]] = {}
        for held, grants in bound:
            for grant in grants:
                holders.setdefault(id(grant), []).append(held)
        for grant in inspected.grants:
            surplus = {held.who: held.surplus(grant) for held in holders.get(id(grant), ())}
            surplus = {who: rights for who, rights in surplus.items() if rights}
            if surplus:
                rights = tuple(dict.fromkeys(right for held in surplus.values() for right in held))
                place = "the whole cluster" if grant.namespace is None else grant.namespace
                yield self._found(
                    f"{_some(tuple(surplus))} may also {_some(rights)} in {place}, by the {grant}. Take that away.",
                    code="right_too_many",
                )
        for held, grants in bound:
            for namespace in held.allowed:
                for right in held.lacking(grants, namespace):
                    place = "the whole cluster" if namespace is None else namespace
                    words = f"{held.who} may not {right} in {place}, and has to. {_APPLY}"
                    yield self._found(words, code="right_missing", namespace=namespace)

    def _of_roads(self, inspected: Inspection) -> Iterator[ClusterFinding]:
        """Tell who else could get past the fences: none of it can be refused, all of it should be known."""
        for road in rbac.roads((held.account for held in self._everybody), bot=self._bot):
            open_by = [(grant, grant.others()) for grant in inspected.grants if road.is_open_by(grant)]
            held = [f"{_some(others)}, by the {grant}" for grant, others in open_by if others]
            if held:
                words = f"somebody else may {road.words}: {_some(held, '; ')}."
                yield self._found(words, code="open_road", is_grave=False)

    # -------------------------------------------------------------------------------------- what stands, tried out

    def _of_witnesses(self, inspected: Inspection) -> Iterator[ClusterFinding]:
        account = self.holdings[0].account
        if self._with(self.own, lambda line: trials.bot_mints_too_long(line, account)) is TrialOutcome.LET_THROUGH:
            yield self._found(
                f"the bot could mint a token of {_named(account)} for an hour: the admission policy for tokens is "
                f"missing, or does not know {self._bot.username}. {_APPLY}",
                code="fence_missing",
            )
        samples = self._samples()

        def look(holding: AccountRights) -> Witnessed:
            return self._look(holding, inspected, is_sample=holding in samples)

        seen = [self._witness(self._bots, self.own, inspected)]
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="checks") as pool:
            seen += pool.map(look, self.holdings)
        for one in seen:
            yield from one.findings
        partial = sum(one.is_partial for one in seen)
        if partial:
            yield self._found(
                f"what {partial} of {len(seen)} accounts may do cannot be listed in full, because another authorizer takes "
                "part; the most dangerous rights were asked for one by one.",
                code="rights_partly_seen",
                is_grave=False,
            )

    def _samples(self) -> tuple[AccountRights, ...]:
        """Return one planner, and one executor of each verb: the policies were compared whole, and are tried once each."""
        samples = {(holding.role, holding.verb and holding.verb.name): holding for holding in reversed(self.holdings)}
        return tuple(samples.values())

    def _look(self, holding: AccountRights, inspected: Inspection, *, is_sample: bool) -> Witnessed:
        try:
            minted = identities.mint(self.own, holding.account, open_line=self.open_line)
        except Forbidden as refusal:
            words, place = f"{refusal.sentence} {_APPLY}", holding.account.namespace
            return Witnessed(findings=[self._found(words, code=refusal.code, namespace=place)])
        seen = self._witness(_held(holding), minted.identity, inspected)
        if is_sample:
            seen.findings += self._fence_of(holding, minted.identity)
        return seen

    def _fence_of(self, holding: AccountRights, identity: Identity) -> Iterator[ClusterFinding]:
        if not holding.trials:
            return
        (attempt, what), trial = _TRIALS[holding.role], holding.trials[0]
        outcome = self._with(identity, lambda line: attempt(line, holding, trial, self.canary))
        if outcome is TrialOutcome.LET_THROUGH:
            words = f"the account {_named(holding.account)} could {what}: an admission policy is missing."
            yield self._found(f"{words} {_APPLY}", code="fence_missing")
        if outcome is TrialOutcome.NO_CANARY:
            place = f"{trial.kind.name} {holding.account.namespace}/{self.canary}"
            words = f"the {place}, on which the fences are tried out, is missing. {_APPLY}"
            yield self._found(words, code="canary_missing", namespace=holding.account.namespace)

    def _witness(self, held: Held, identity: Identity, inspected: Inspection | None = None) -> Witnessed:
        """Ask an account itself what it may do in its own namespaces, and tell what no binding has told already."""
        grants = () if inspected is None else inspected.grants
        known = {(right, grant.namespace) for grant in grants for right in held.surplus(grant)}
        allowed = {namespace: rights for namespace, rights in held.allowed.items() if namespace is not None}
        places = tuple(dict.fromkeys((*allowed, held.account.namespace)))
        within = {place: (*allowed.get(place, ()), *held.allowed.get(None, ())) for place in places}
        seen = self._with(identity, lambda line: reviews.compare(line, allowed=within, namespaces=places))
        witnessed = Witnessed(is_partial=seen.is_partial)
        for right, namespaces in seen.too_much.items():
            new = [one for one in namespaces if not {(right, one), (right, None)} & known]
            if new:
                witnessed.findings.append(
                    self._found(
                        f"{held.who} may also {right} in {', '.join(new)}, and no binding says so: another authorizer of "
                        "this cluster does. Take it away there.",
                        code="right_too_many",
                    )
                )
        for right, namespace in seen.too_little:
            if inspected is None or right not in held.lacking(grants, namespace):
                words = f"{held.who} may not {right} in {namespace}, and has to. {_APPLY}"
                witnessed.findings.append(self._found(words, code="right_missing", namespace=namespace))
        return witnessed

    # --------------------------------------------------------------------------------------------------- by the way

    @property
    def _bot(self) -> ServiceAccount:
        return self.installation.bot

    @property
    def _everybody(self) -> tuple[Held, ...]:
        return (self._bots, _held(inspector_of(self.installation)), *(_held(holding) for holding in self.holdings))

    @property
    def _bots(self) -> Held:
        names: dict[str, set[str]] = {}
        for holding in (*self.holdings, *([inspector_of(self.installation)] if self.holdings else [])):
            names.setdefault(holding.account.namespace, set()).add(holding.account.name)
        allowed: dict[str | None, tuple[Right, ...]] = {
            namespace: (Right(group="", resource="serviceaccounts/token", verb="create", names=frozenset(accounts)),)
            for namespace, accounts in names.items()
        }
        allowed["kube-system"] = (Right(group="", resource="namespaces", verb="get", names=frozenset({"kube-system"})),)
        return Held(account=self._bot, who="the bot's own account", allowed=allowed)

    def _with(self, identity: Identity, do: Callable[[Client], T]) -> T:
        with self.open_line(identity) as line:
            return do(line)

    def _found(self, words: str, *, code: str, namespace: str | None = None, is_grave: bool = True) -> ClusterFinding:
        sentence = f"{self.environment}: {words}"
        return ClusterFinding(sentence=sentence, code=code, namespace=namespace, is_grave=is_grave)


def _held(holding: AccountRights) -> Held:
    place = None if holding.role is Role.INSPECTOR else holding.account.namespace
    return Held(
        account=holding.account,
        who=f"the account {_named(holding.account)}",
        allowed={place: rights_of(holding.rules)},
    )


def _named(account: ServiceAccount) -> str:
    return f"{account.namespace}/{account.name}"


def _some(words: Sequence[str], between: str = ", ") -> str:
    """Return the first few of *words*, and how many more there are."""
    more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    return f"{between.join(words[:_MOST_WORDS])}{more}"
