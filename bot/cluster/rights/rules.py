"""Rights: what an account may do by the server's own account of it, held against what it should be able to do.

The comparison is with an allow-list: a list of what must *not* be granted misses whatever nobody thought of, such as a grant
of the one Secret called ``one``. It matches as RBAC does: a wildcard is never covered by anything but itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from approvals.verbs.verb import AccessRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one resource; *names* narrows it to some objects, None does not."""

    group: str
    resource: str
    verb: str
    names: frozenset[str] | None = None

    @override
    def __str__(self) -> str:
        """Return it as an operator would say it: ``patch deployments/scale (apps)``."""
        group = f" ({self.group})" if self.group else ""
        names = "" if self.names is None else f", only {', '.join(sorted(self.names))}"
        return f"{self.verb} {self.resource}{group}{names}"

    def covers(self, other: "Right") -> bool:
        """Tell whether whoever has this one may do all that *other* says."""
        same = (self.group, self.resource, self.verb) == (other.group, other.resource, other.verb)
        return same and (self.names is None or (other.names is not None and other.names <= self.names))


BASELINE: Final = (
    Right(group="authentication.k8s.io", resource="selfsubjectreviews", verb="create"),
    Right(group="authorization.k8s.io", resource="selfsubjectaccessreviews", verb="create"),
    Right(group="authorization.k8s.io", resource="selfsubjectrulesreviews", verb="create"),
)
"""What every authenticated account may do: ask about itself."""

_PUBLIC_PATHS: Final = (
    "/api",
    "/apis",
    "/healthz",
    "/livez",
    "/openapi",
    "/readyz",
    "/version",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
)
"""Discovery, health and the server's public keys; each with all that lies under it."""


def rights_of(rules: Iterable[AccessRule]) -> tuple[Right, ...]:
    """Return the rights that *rules* grant."""
    return tuple(Right(group=rule.group, resource=rule.resource, verb=verb) for rule in rules for verb in rule.verbs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesReview:
    """What a SelfSubjectRulesReview said of one account in one namespace."""

    rights: tuple[Right, ...]
    paths: tuple[str, ...]
    """What it may do beside resources, such as ``get /metrics``."""
    is_incomplete: bool
    """Whether an authorizer that cannot list its rules takes part, so that there may be more."""


def seen_in(review: Mapping[str, Any]) -> RulesReview:
    """Return what a SelfSubjectRulesReview, as the server answered it, says."""
    status = review.get("status") or {}
    return RulesReview(
        rights=tuple(right for rule in status.get("resourceRules") or () for right in _rights(rule)),
        paths=tuple(path for rule in status.get("nonResourceRules") or () for path in _paths(rule)),
        is_incomplete=bool(status.get("incomplete")),
    )


def seen_in_rules(rules: Iterable[Mapping[str, Any]], *, with_paths: bool) -> RulesReview:
    """Return what the rules of a role grant.

    Args:
        rules: As a Role or a ClusterRole holds them.
        with_paths: Whether paths beside resources count: only where the role is bound for the whole cluster.
    """
    held = tuple(rules)
    return RulesReview(
        rights=tuple(right for rule in held for right in _rights(rule)),
        paths=tuple(path for rule in held for path in _paths(rule)) if with_paths else (),
        is_incomplete=False,
    )


def _rights(rule: Mapping[str, Any]) -> Iterator[Right]:
    names = frozenset(rule["resourceNames"]) if rule.get("resourceNames") else None
    for group in rule.get("apiGroups") or ("",):
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                yield Right(group=group, resource=resource, verb=verb, names=names)


def _paths(rule: Mapping[str, Any]) -> Iterator[str]:
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield f"{verb} {path}"


def excess(seen: RulesReview, allowed: Iterable[Right]) -> tuple[str, ...]:
    """Return, in words, what was seen that neither *allowed* nor the baseline covers."""
    permitted = (*BASELINE, *allowed)
    rights = (str(right) for right in seen.rights if not any(one.covers(right) for one in permitted))
    paths = (path for path in seen.paths if not _is_public(path))
    return tuple(dict.fromkeys((*rights, *paths)))


def missing(seen: RulesReview, needed: Iterable[Right]) -> tuple[str, ...]:
    """Return, in words, which of the *needed* rights were not seen at all.

    A right that is narrowed to some objects counts: an operator may let an agent touch named workloads only.
    """
    return tuple(
        str(need)
        for need in needed
        if not any(need.covers(right) or right.covers(need) or _is_wildcard_for(right, need) for right in seen.rights)
    )


def _is_wildcard_for(right: Right, need: Right) -> bool:
    return (
        right.group in {"*", need.group}
        and right.resource in {"*", need.resource}
        and right.verb in {"*", need.verb}
        and right.names is None
    )


def _is_public(path: str) -> bool:
    verb, _, url = path.partition(" ")
    return verb in {"get", "head"} and any(url == one or url.startswith(f"{one}/") for one in _PUBLIC_PATHS)
