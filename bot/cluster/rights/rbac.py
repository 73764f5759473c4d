"""RBAC: what every binding of a cluster lets whom do, computed from the lists of roles and bindings.

An account's own review tells what it may do in one namespace, and not by which binding; so an executor that is an
administrator somewhere else goes unseen. Here everything that binds is read once, as the server reads it: ClusterRoles with
what they aggregate, subjects of every kind, the groups that every service account is in. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from approvals.identity.accounts import ServiceAccount
from bot.cluster.rights.rules import Right, RulesReview, seen_in_rules

Listed = Sequence[Mapping[str, Any]]
"""The items of a list, as the server answers it."""

CONTROL_PLANE: Final = "kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant:
    """What one binding lets its subjects do."""

    kind: str
    """``RoleBinding`` or ``ClusterRoleBinding``."""
    name: str
    namespace: str | None
    """Where it holds; None for everywhere, and for what lies in no namespace."""
    role: str
    """The role in words, such as ``ClusterRole edit``."""
    seen: RulesReview
    subjects: tuple[Mapping[str, Any], ...]

    @override
    def __str__(self) -> str:
        """Return it as an operator finds it: ``RoleBinding shop/devs (ClusterRole edit)``."""
        place = self.name if self.namespace is None else f"{self.namespace}/{self.name}"
        return f"{self.kind} {place} ({self.role})"

    def binds(self, account: ServiceAccount) -> bool:
        """Tell whether *account* is a subject: by its own name, by its username, or by a group that it is in."""
        return not self.names().isdisjoint(_names(account))

    def names(self) -> frozenset[tuple[str, str]]:
        """Return its subjects by kind and name, an account by its username."""
        return frozenset(self._name(subject) for subject in self.subjects)

    def others(self) -> tuple[str, ...]:
        """Return its subjects in words, without the control plane's own and the group of the cluster's administrators."""
        return tuple(self._words(subject) for subject in self.subjects if not self._is_control_plane(subject))

    def _name(self, subject: Mapping[str, Any]) -> tuple[str, str]:
        kind, name = str(subject.get("kind")), str(subject.get("name"))
        if kind == "ServiceAccount":
            return "User", ServiceAccount(namespace=self._namespace_of(subject) or "", name=name).username
        return kind, name

    def _namespace_of(self, subject: Mapping[str, Any]) -> str | None:
        return subject.get("namespace") or self.namespace

    def _words(self, subject: Mapping[str, Any]) -> str:
        name = str(subject.get("name"))
        if subject.get("kind") == "ServiceAccount":
            return f"the account {self._namespace_of(subject)}/{name}"
        return f"the {str(subject.get('kind')).lower()} {name}"

    def _is_control_plane(self, subject: Mapping[str, Any]) -> bool:
        name = str(subject.get("name"))
        if subject.get("kind") == "ServiceAccount":
            return self._namespace_of(subject) == CONTROL_PLANE
        return name == "system:masters" or name.startswith("system:kube-")


def _names(account: ServiceAccount) -> tuple[tuple[str, str], ...]:
    """Return under which names, by kind, a binding may hold *account*."""
    return ("User", account.username), *(("Group", group) for group in _groups(account))


def _groups(account: ServiceAccount) -> tuple[str, ...]:
    """Return the groups that the server puts every service account in."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", "system:authenticated")


class Bindings:
    """The grants of a cluster, found by whom they bind: every half minute each of hundreds of accounts is looked up."""

    def __init__(self, grants: Iterable[RoleGrant]) -> None:
        """Note whom each grant binds."""
        self._by_name: dict[tuple[str, str], list[tuple[int, RoleGrant]]] = {}
        for number, grant in enumerate(grants):
            for name in grant.names():
                self._by_name.setdefault(name, []).append((number, grant))

    def of(self, account: ServiceAccount) -> tuple[RoleGrant, ...]:
        """Return what binds *account*, in order: by its own name, by its username, or by a group that it is in."""
        found = {number: grant for name in _names(account) for number, grant in self._by_name.get(name, ())}
        return tuple(found[number] for number in sorted(found))


def role_grants(
    *, roles: Listed, cluster_roles: Listed, bindings: Listed, cluster_bindings: Listed
) -> tuple[RoleGrant, ...]:
    """Return what each binding grants, in the order of the lists; one that names a role that is not there grants nothing."""
    local = {(_namespace(one), _name(one)): one.get("rules") or () for one in roles}
    whole = {_name(one): tuple(_aggregated(one, cluster_roles)) for one in cluster_roles}

    def grant(kind: str, binding: Mapping[str, Any], namespace: str | None) -> RoleGrant:
        reference = binding.get("roleRef") or {}
        role, name = str(reference.get("kind")), str(reference.get("name"))
        rules = whole.get(name, ()) if role == "ClusterRole" else local.get((namespace or "", name), ())
        return RoleGrant(
            kind=kind,
            name=_name(binding),
            namespace=namespace,
            role=f"{role} {name}",
            seen=seen_in_rules(rules, with_paths=namespace is None),
            subjects=tuple(binding.get("subjects") or ()),
        )

    return (
        *(grant("RoleBinding", one, _namespace(one)) for one in bindings),
        *(grant("ClusterRoleBinding", one, None) for one in cluster_bindings),
    )


def _aggregated(role: Mapping[str, Any], cluster_roles: Listed) -> Iterator[Mapping[str, Any]]:
    """Give a ClusterRole's rules, and those that its selectors will add as soon as the controller has looked."""
    yield from role.get("rules") or ()
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        for other in cluster_roles:
            if other is not role and _selects(selector, (other.get("metadata") or {}).get("labels") or {}):
                yield from other.get("rules") or ()


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _agrees(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _agrees(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return True  # an operator that we do not know may select


def _name(one: Mapping[str, Any]) -> str:
    return str(one["metadata"]["name"])


def _namespace(one: Mapping[str, Any]) -> str:
    return str(one["metadata"]["namespace"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """A way past the fences that no fence can close: who holds one of *rights* can go it."""

    words: str
    """What such a person may do, after "may"."""
    rights: tuple[Right, ...]
    """With names: those of the objects that count. Without: any."""
    namespaces: tuple[str, ...] | None
    """Where holding it counts; None for the whole cluster only."""

    def is_open_by(self, grant: RoleGrant) -> bool:
        """Tell whether *grant* lets its subjects go it."""
        if grant.namespace is not None and grant.namespace not in (self.namespaces or ()):
            return False
        return any(_allows(held, wanted) for held in grant.seen.rights for wanted in self.rights)


def _allows(held: Right, wanted: Right) -> bool:
    """Tell whether *held* lets do what *wanted* names, wildcards included."""
    resource, _, subresource = wanted.resource.partition("/")
    resources = {"*", wanted.resource, *([f"*/{subresource}"] if subresource else [resource])}
    return (
        held.group in {"*", wanted.group}
        and held.resource in resources
        and held.verb in {"*", wanted.verb}
        and (held.names is None or wanted.names is None or bool(held.names & wanted.names))
    )


def roads(accounts: Iterable[ServiceAccount], *, bot: ServiceAccount) -> tuple[Road, ...]:
    """Return the ways to *accounts* and to the bot's own that admission cannot or does not close."""
    ours = (*accounts, bot)
    places = tuple(sorted({one.namespace for one in ours}))
    names, usernames = frozenset(one.name for one in ours), frozenset(one.username for one in ours)
    own = frozenset({bot.name})
    return (
        Road(
            words="impersonate accounts of ours or have certificates made out to them, which no admission policy can refuse: a "
            "write in an executor's name is refused, since it carries no token, a read and a dry run are not",
            rights=(
                Right(group="", resource="serviceaccounts", verb="impersonate", names=names),
                Right(group="", resource="users", verb="impersonate", names=usernames),
                Right(
                    group=_AUTHENTICATION, resource="serviceaccounts", verb="impersonate:serviceaccount", names=names
                ),
                Right(group=_AUTHENTICATION, resource="users", verb="impersonate:user-info", names=usernames),
                *(Right(group="certificates.k8s.io", resource="signers", verb=verb, names=_SIGNER) for verb in _SIGN),
            ),
            namespaces=places,
        ),
        Road(
            words="impersonate with the mark of a token as well (userextras): as far as they may impersonate accounts of ours, "
            "not even a write in an executor's name is refused",
            rights=tuple(
                Right(group=_AUTHENTICATION, resource=_MARK, verb=verb)
                for verb in ("impersonate", "impersonate:serviceaccount", "impersonate:user-info")
            ),
            namespaces=None,
        ),
        Road(
            words=f"become the bot's own account, {bot.namespace}/{bot.name} (by a token, a Secret, a pod, or in its pod)",
            rights=(
                Right(group="", resource="serviceaccounts/token", verb="create", names=own),
                *(
                    Right(group=group, resource=resource, verb=verb)
                    for group, resources, verbs in _INTO_THE_BOT
                    for resource in resources.split()
                    for verb in verbs.split()
                ),
            ),
            namespaces=(bot.namespace,),
        ),
        Road(
            words="change or take away the admission policies",
            rights=tuple(
                Right(group="admissionregistration.k8s.io", resource=resource, verb=verb)
                for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
                for verb in ("update", "patch", "delete", "deletecollection")
            ),
            namespaces=None,
        ),
    )


_INTO_THE_BOT: Final = (
    ("", "secrets", "get list watch create update patch"),
    ("", "pods", "create update patch"),
    ("", "pods/ephemeralcontainers", "update patch"),
    ("", "pods/exec pods/attach", "get create"),
    ("", "replicationcontrollers", "create update patch"),
    ("apps", "deployments statefulsets daemonsets replicasets", "create update patch"),
    ("batch", "jobs cronjobs", "create update patch"),
    ("", "nodes/proxy", "get create"),
)
"""By group, resources and verbs: what lets somebody run something as the bot, or in its pod, or read what that mounts."""

_SIGNER: Final = frozenset({"kubernetes.io/kube-apiserver-client", "kubernetes.io/*"})
_SIGN: Final = ("approve", "sign")
_MARK: Final = "userextras/authentication.kubernetes.io/credential-id"
_AUTHENTICATION: Final = "authentication.k8s.io"
