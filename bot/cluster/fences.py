"""Fences: the three admission policies without which the accounts would be too strong, as Kubernetes objects.

RBAC can say that an executor may patch a Deployment, not which fields; that a planner may patch it, not that it may only
pretend to; that the bot may mint a token, not for how long. These policies say it. They know accounts by the naming rules of
:mod:`approvals.accounts`, in the namespaces that have such accounts and nowhere else. Whatever they do not know is refused:
``failurePolicy`` is Fail, and an executor's write is denied unless a verb's fence speaks of its resource.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from approvals.accounts import Role, ServiceAccount
from approvals.verb import Fence, Verb
from approvals.verbs import REGISTRY
from bot.cluster.access import Holding, namespaces_of
from bot.cluster.identities import LIFE

_API: Final = "admissionregistration.k8s.io/v1"
_EVERYTHING: Final = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
_TOKENS: Final = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["serviceaccounts/token"],
}

Manifest = dict[str, Any]


def fences(holdings: Sequence[Holding], *, bot: ServiceAccount, name: str) -> list[Manifest]:
    """Return the three policies with their bindings; *name* begins their names."""
    namespaces = namespaces_of(holdings)
    return [
        *_policy(f"{name}-planners", _planners(namespaces)),
        *_policy(f"{name}-tokens", _tokens(holdings, bot)),
        *_policy(f"{name}-executors", _executors(namespaces)),
    ]


def _policy(name: str, spec: Manifest) -> list[Manifest]:
    return [
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", **spec},
        },
        {
            "apiVersion": _API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]


def _planners(namespaces: Sequence[str]) -> Manifest:
    return {
        "matchConstraints": {"resourceRules": [_EVERYTHING]},
        "matchConditions": [{"name": "planner", "expression": _is_one_of(Role.PLANNER, namespaces)}],
        "validations": [_rule("has(request.dryRun) && request.dryRun", "a planner may only try out (dry run)")],
    }


def _tokens(holdings: Iterable[Holding], bot: ServiceAccount) -> Manifest:
    names = ", ".join(f"'{one.account.namespace}/{one.account.name}'" for one in holdings)
    most = int(LIFE.total_seconds())
    return {
        "matchConstraints": {"resourceRules": [_TOKENS]},
        "matchConditions": [{"name": "bot", "expression": f"request.userInfo.username == '{bot.username}'"}],
        "validations": [
            _rule(f"(request.namespace + '/' + request.name) in [{names}]", "tokens of its named accounts only"),
            _rule(
                f"has(object.spec.expirationSeconds) && object.spec.expirationSeconds <= {most}",
                f"tokens of at most {most} seconds only",
            ),
        ],
    }


def _executors(namespaces: Sequence[str]) -> Manifest:
    fenced = [(verb, fence) for verb in REGISTRY for fence in verb.fences]
    return {
        "matchConstraints": {"resourceRules": [_EVERYTHING]},
        "matchConditions": [{"name": "executor", "expression": _is_one_of(Role.EXECUTOR, namespaces)}],
        "variables": [
            {"name": _variable(verb, fence), "expression": _speaks_of(verb, fence)} for verb, fence in fenced
        ],
        "validations": [
            _rule(
                "\n|| ".join(f"variables.{_variable(verb, fence)}" for verb, fence in fenced),
                "an executor may only update what its verb changes",
            ),
            *(
                _rule(f"!variables.{_variable(verb, fence)} || ({expression})", f"{verb.name}: {message}")
                for verb, fence in fenced
                for expression, message in fence.expressions
            ),
        ],
    }


def _rule(expression: str, message: str) -> Manifest:
    return {"expression": expression, "message": f"{message}", "reason": "Forbidden"}


def _is_one_of(role: Role, namespaces: Sequence[str]) -> str:
    """Return that the user is an account of *role* in one of *namespaces*."""
    places = "|".join(namespaces)
    return f"request.userInfo.username.matches('^system:serviceaccount:({places}):{role}-')"


def _variable(verb: Verb, fence: Fence) -> str:
    return f"{verb.name}_{fence.resource}".replace("/", "_").replace("-", "_")


def _speaks_of(verb: Verb, fence: Fence) -> str:
    """Return that the request is an update of the fence's resource by an executor of the verb."""
    resource, _, subresource = fence.resource.partition("/")
    return "\n&& ".join(
        (
            f"request.userInfo.username.endsWith('-{verb.name}')",
            "request.operation == 'UPDATE'",
            f"request.resource.group == '{fence.group}'",
            f"request.resource.version == '{fence.version}'",
            f"request.resource.resource == '{resource}'",
            f"(has(request.subResource) ? request.subResource : '') == '{subresource}'",
        )
    )
