"""Access: who may do what, matched as RBAC matches, and told as SelfSubjectRulesReview tells it."""

from collections.abc import Iterable, Iterator
from typing import Final

from sandbox.cluster import refusals
from sandbox.cluster.identities import Identities, User
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.routes import Call
from sandbox.cluster.seed import Rule

_EVERYBODY: Final = (
    Rule(
        groups=("authorization.k8s.io",),
        resources=("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        verbs=("create",),
    ),
    Rule(groups=("authentication.k8s.io",), resources=("selfsubjectreviews",), verbs=("create",)),
)
"""What every authenticated user of a real server may do; a start-up check has to know it."""

_PATHS: Final = (
    (
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ),
    ("/healthz", "/livez", "/readyz", "/version", "/version/"),
    ("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"),
)

_ALL: Final = Rule(groups=("*",), resources=("*",), verbs=("*",))


class Access:
    """Decides from the accounts' rules."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def check(self, user: User, call: Call) -> None:
        """Return if *user* may make *call*; asking for the version is free for all.

        Raises:
            Refused: 403, in the words of the server.
        """
        if call.resource == "version" or any(_matches(rule, call) for rule in self._rules(user)):
            return
        where = f' in the namespace "{call.namespace}"' if call.namespace else " at the cluster scope"
        why = (
            f'User "{user.name}" cannot {call.verb} resource "{call.full_resource}" in API group "{call.group}"{where}'
        )
        raise refusals.forbidden(call.group, call.resource, call.name, why)

    def review(self, user: User, namespace: str) -> JsonObject:
        """Return the status of a SelfSubjectRulesReview: all rules that hold for *user* in *namespace*."""
        rules = [_as_json(rule) for rule in self._rules(user) if rule.namespace in {None, namespace}]
        paths: list[JsonObject] = [{"verbs": ["get"], "nonResourceURLs": list(group)} for group in _PATHS]
        return {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}

    def _rules(self, user: User) -> Iterator[Rule]:
        if user.is_admin:
            yield _ALL
        if "system:authenticated" in user.groups:
            yield from _EVERYBODY
        account = self._identities.account_called(user.name)
        if account is not None:
            yield from account.rules


def _matches(rule: Rule, call: Call) -> bool:
    return (
        rule.namespace in {None, call.namespace}
        and _has(rule.verbs, call.verb)
        and _has(rule.groups, call.group)
        and _covers(rule.resources, call)
        and (not rule.names or call.name in rule.names)
    )


def _has(allowed: Iterable[str], wanted: str) -> bool:
    return any(one in {"*", wanted} for one in allowed)


def _covers(resources: Iterable[str], call: Call) -> bool:
    # `deployments/*` is no wildcard to RBAC; `*/scale` is.
    wanted = {"*", call.full_resource}
    if call.subresource:
        wanted.add(f"*/{call.subresource}")
    return any(one in wanted for one in resources)


def _as_json(rule: Rule) -> JsonObject:
    told: JsonObject = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
    return told | ({"resourceNames": list(rule.names)} if rule.names else {})
