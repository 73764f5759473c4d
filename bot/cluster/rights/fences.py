"""Fences: the admission policies without which the accounts would be too strong, as Kubernetes objects.

RBAC can say that an executor may patch a Deployment, not which fields; that a planner may patch it, not that it may only
pretend to; that the bot may mint a token, not for how long. And it cannot say that somebody who may do anything in a
namespace (the stock role ``edit``) may not become the accounts that stand in it: by a token, by a pod, by a Secret that
holds a token. Five policies say it:

- *planners* only try out;
- *tokens*: what the bot mints;
- *executors*: what each verb changes;
- *minters*: nobody but the bot mints tokens of our accounts, not even an administrator;
- *users*: no pod runs as one of our accounts, and no Secret is made for a token of one.

They know an installation's accounts by how their names begin (:mod:`approvals.identity.accounts`), in whatever namespace: they
depend on
the installation and on nothing that it grants, so that applying them again, made from an older or a newer policy file, never
leaves an account without its fence, and another installation's accounts are not theirs. Which accounts there are is said by
RBAC. Whatever they do not know is refused: ``failurePolicy`` is Fail, and an executor's write is denied unless a verb's fence
speaks of its resource. What the server would fill in is written out, so that what is installed can be compared with
what is generated, word by word (:mod:`bot.cluster.rights.standing`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from approvals.identity.accounts import Installation, Role, in_names
from approvals.verbs.registry import REGISTRY
from approvals.verbs.verb import Fence, Verb
from bot.cluster.client.identities import LIFE

_API: Final = "admissionregistration.k8s.io/v1"
_EVERYTHING: Final = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"], "scope": "*"}
_TOKENS: Final = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["serviceaccounts/token"],
    "scope": "*",
}
_PODS: Final = {**_TOKENS, "resources": ["pods"]}
_EPHEMERAL: Final = {**_TOKENS, "operations": ["UPDATE"], "resources": ["pods/ephemeralcontainers"]}
_SECRETS: Final = {**_TOKENS, "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}

_SERVICE: Final = "https://kubernetes.default.svc"
AUDIENCES: Final = (
    (_SERVICE,),
    (f"{_SERVICE}.cluster.local",),
    (f"{_SERVICE}.cluster.local", "k3s"),
    (f"{_SERVICE}.cluster.local", "rke2"),
)
"""What API servers call themselves unless they are told otherwise: EKS; kubeadm, kind; k3s; rke2. Each is a whole list, which
the server fills in where none is asked for: a part of one, such as ``k3s`` alone, is what somebody else would be called."""

_BY_ITSELF: Final = (
    "has(request.userInfo.extra) && 'authentication.kubernetes.io/credential-id' in request.userInfo.extra"
    " && request.userInfo.extra['authentication.kubernetes.io/credential-id'].exists(id, id.startsWith('JTI='))"
)
"""That the user holds a service account's token. Who impersonates has none of its own, and a certificate has another id."""

_UNBOUND: Final = (
    "!has(request.userInfo.extra) || !request.userInfo.extra.exists(key, key in"
    " ['authentication.kubernetes.io/pod-name', 'authentication.kubernetes.io/node-name'])"
)
"""That the token is bound to no pod and no node: none of ours is, since no pod runs as one of our accounts. One that ran before
the policies were there holds such a token, and keeps it fresh."""

_TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a Secret's type
_TOKEN_OF: Final = "kubernetes.io/service-account.name"  # noqa: S105 - an annotation

Manifest = dict[str, Any]


def fences(installation: Installation, *, audiences: Sequence[Sequence[str]] = AUDIENCES) -> list[Manifest]:
    """Return the policies with their bindings: the same whatever *installation* grants.

    Args:
        installation: Whose accounts they fence.
        audiences: What the API server may call itself, each a whole list: tokens for anybody else are not minted. The server
            fills its list in before it asks its policies, so a policy has to know it.
    """
    prefix = installation.prefix
    return [
        *_policy(f"{prefix}planners", [_EVERYTHING], _planners(installation)),
        *_policy(f"{prefix}tokens", [_TOKENS], _tokens(installation, audiences)),
        *_policy(f"{prefix}executors", [_EVERYTHING], _executors(installation)),
        *_policy(f"{prefix}minters", [_TOKENS], _minters(installation)),
        *_policy(f"{prefix}users", [_PODS, _EPHEMERAL, _SECRETS], _users(installation)),
    ]


def _policy(name: str, resources: Sequence[Manifest], spec: Manifest) -> list[Manifest]:
    constraints = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": list(resources),
    }
    return [
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", "matchConstraints": constraints, **spec},
        },
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]


def _planners(installation: Installation) -> Manifest:
    return {
        "matchConditions": [{"name": "planner", "expression": _is_one_of(installation, Role.PLANNER)}],
        "validations": [_rule("has(request.dryRun) && request.dryRun", "a planner may only try out (dry run)")],
    }


def _tokens(installation: Installation, audiences: Sequence[Sequence[str]]) -> Manifest:
    bot = installation.bot
    most = int(LIFE.total_seconds())
    return {
        "matchConditions": [{"name": "bot", "expression": f"request.userInfo.username == '{bot.username}'"}],
        "validations": [
            _rule(f"request.name.startsWith('{installation.prefix}')", "tokens of its own accounts only"),
            _rule(
                f"has(object.spec.expirationSeconds) && object.spec.expirationSeconds <= {most}",
                f"tokens of at most {most} seconds only",
            ),
            _rule(
                f"has(object.spec.audiences) && object.spec.audiences in [{', '.join(map(_listed, audiences))}]",
                "tokens for the API server itself only",
            ),
            _rule(
                "!has(object.spec.boundObjectRef) || object.spec.boundObjectRef == null",
                "tokens that are bound to no other object only",
            ),
            _rule(_BY_ITSELF, "the bot mints with a token of its own only (no impersonation, no certificate)"),
        ],
    }


def _minters(installation: Installation) -> Manifest:
    return {
        "matchConditions": [{"name": "ours", "expression": f"request.name.startsWith('{installation.prefix}')"}],
        "validations": [
            _rule(
                f"request.userInfo.username == '{installation.bot.username}'",
                "only the bot mints tokens of its accounts",
            )
        ],
    }


def _users(installation: Installation) -> Manifest:
    """Return that nobody runs a pod as an account of the bot's, or has a token of one kept in a Secret.

    The bot's own account is not among them: a pod that runs as it is the bot.

    A Secret that names another account at first and one of ours later is why updates are looked at.
    """
    is_ours = f".startsWith('{installation.prefix}')"
    account = "object.?spec.?serviceAccountName.orValue('')"
    named = f"object.?metadata.?annotations[?'{_TOKEN_OF}'].orValue('')"
    return {
        "matchConditions": [
            {
                "name": "ours",
                "expression": f"(request.resource.resource == 'pods' ? {account} : {named}){is_ours}",
            }
        ],
        "validations": [
            _rule(
                f"request.resource.resource != 'pods' || !{account}{is_ours}",
                "no pod runs as an account of the bot's",
            ),
            _rule(
                f"request.resource.resource != 'secrets' || object.?type.orValue('') != '{_TOKEN_SECRET}'"
                f" || !{named}{is_ours}",
                "no Secret holds a token of an account of the bot's",
            ),
        ],
    }


def _executors(installation: Installation) -> Manifest:
    fenced = [(verb, fence) for verb in REGISTRY for fence in verb.fences]
    return {
        "matchConditions": [{"name": "executor", "expression": _is_one_of(installation, Role.EXECUTOR)}],
        "variables": [
            {"name": _variable(verb, fence), "expression": _speaks_of(verb, fence)} for verb, fence in fenced
        ],
        "validations": [
            _rule(
                "\n|| ".join(f"variables.{_variable(verb, fence)}" for verb, fence in fenced),
                "an executor may only update what its verb changes",
            ),
            _rule(_BY_ITSELF, "an executor writes with a token of its own only (no impersonation, no certificate)"),
            _rule(_UNBOUND, "an executor writes with a token that no pod holds"),
            *(
                _rule(f"!({' || '.join(guards)}) || ({expression})", f"{name}: {message}")
                for (name, expression, message), guards in _guarded(fenced).items()
            ),
        ],
    }


def _guarded(fenced: Iterable[tuple[Verb, Fence]]) -> dict[tuple[str, str, str], list[str]]:
    """Return by verb, expression and message the variables that say when it has to hold: one rule for several kinds."""
    guards: dict[tuple[str, str, str], list[str]] = {}
    for verb, fence in fenced:
        for expression, message in fence.expressions:
            guards.setdefault((verb.name, expression, message), []).append(f"variables.{_variable(verb, fence)}")
    return guards


def _rule(expression: str, message: str) -> Manifest:
    return {"expression": expression, "message": f"{message}", "reason": "Forbidden"}


def _listed(words: Iterable[str]) -> str:
    quoted = (f"'{word}'" for word in words)
    return f"[{', '.join(quoted)}]"


def _is_one_of(installation: Installation, role: Role) -> str:
    """Return that the user is one of the installation's accounts of *role*, in any namespace."""
    return f"request.userInfo.username.matches('^system:serviceaccount:[^:]+:{installation.prefix}{role}-')"


def _variable(verb: Verb, fence: Fence) -> str:
    return f"{verb.name}_{fence.resource}".replace("/", "_").replace("-", "_")


def _speaks_of(verb: Verb, fence: Fence) -> str:
    """Return that the request is an update of the fence's resource by an executor of the verb."""
    resource, _, subresource = fence.resource.partition("/")
    return "\n&& ".join(
        (
            f"request.userInfo.username.endsWith('-{in_names(verb.name)}')",
            "request.operation == 'UPDATE'",
            f"request.resource.group == '{fence.group}'",
            f"request.resource.version == '{fence.version}'",
            f"request.resource.resource == '{resource}'",
            f"(has(request.subResource) ? request.subResource : '') == '{subresource}'",
        )
    )
