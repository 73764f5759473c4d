import pytest

from approvals.verbs.verb import AccessRule
from bot.cluster.rights.rules import Right, RulesReview, excess, missing, rights_of, seen_in

ALLOWED = (
    Right(group="apps", resource="deployments/scale", verb="patch"),
    Right(group="", resource="serviceaccounts/token", verb="create", names=frozenset({"a", "b"})),
)


def _seen(*rules, paths=(), incomplete=False):
    status = {
        "resourceRules": list(rules),
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": list(paths)}],
        "incomplete": incomplete,
    }
    return seen_in({"status": status})


def _rule(verbs, group, resource, names=None):
    rule = {"verbs": verbs.split(), "apiGroups": [group], "resources": resource.split()}
    return {**rule, "resourceNames": names} if names else rule


GOOD = (_rule("patch", "apps", "deployments/scale"), _rule("create", "", "serviceaccounts/token", ["a", "b"]))


def test_rules_are_taken_apart():
    """Each verb on each resource of each group is one right; several authorizers' rules simply add up."""
    seen = _seen(_rule("get list", "apps", "deployments replicasets"), paths=["/version"], incomplete=True)

    pairs = [("deployments", "get"), ("deployments", "list"), ("replicasets", "get"), ("replicasets", "list")]
    assert seen == RulesReview(
        rights=tuple(Right(group="apps", resource=resource, verb=verb) for resource, verb in pairs),
        paths=("get /version",),
        is_incomplete=True,
    )
    assert seen_in({}) == RulesReview(rights=(), paths=(), is_incomplete=False)


def test_exactly_what_is_allowed_is_nothing_too_much():
    """The list that the manifests are made from, and what every account may ask about itself, are fine."""
    own = _rule("create", "authorization.k8s.io", "selfsubjectrulesreviews selfsubjectaccessreviews")
    seen = _seen(*GOOD, own, paths=["/api", "/api/*", "/healthz", "/openapi/v3", "/version/"])

    assert (excess(seen, ALLOWED), missing(seen, ALLOWED)) == ((), ())


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (_rule("get", "", "secrets", ["one"]), ("get secrets, only one",)),
        (_rule("*", "apps", "deployments/scale"), ("* deployments/scale (apps)",)),
        (_rule("patch", "*", "deployments/scale"), ("patch deployments/scale (*)",)),
        (_rule("patch", "apps", "*"), ("patch * (apps)",)),
        (_rule("patch", "apps", "*/scale"), ("patch */scale (apps)",)),
        (_rule("patch", "apps", "deployments"), ("patch deployments (apps)",)),
        (_rule("patch", "extensions", "deployments/scale"), ("patch deployments/scale (extensions)",)),
        (_rule("create", "", "serviceaccounts/token"), ("create serviceaccounts/token",)),
        (_rule("create", "", "serviceaccounts/token", ["c", "a"]), ("create serviceaccounts/token, only a, c",)),
    ],
)
def test_whatever_is_not_on_the_list_is_too_much(rule, words):
    """One named Secret, any wildcard, the object beside its subresource, a name more: all are found."""
    assert excess(_seen(*GOOD, rule), ALLOWED) == words


def test_paths_beside_resources_are_looked_at_too():
    """Metrics and logs are paths of their own, and reading them is a right."""
    assert excess(_seen(*GOOD, paths=["/metrics", "/logs/*", "/versions"]), ALLOWED) == (
        "get /metrics",
        "get /logs/*",
        "get /versions",
    )


def test_a_narrowed_right_is_fine():
    """An operator may let an agent touch named workloads only: neither too much nor too little."""
    seen = _seen(_rule("patch", "apps", "deployments/scale", ["checkout"]), GOOD[1])

    assert (excess(seen, ALLOWED), missing(seen, ALLOWED)) == ((), ())


def test_what_is_not_granted_is_missing():
    """An account that may do too little would fail after somebody has approved."""
    assert missing(_seen(_rule("get", "apps", "deployments/scale")), ALLOWED) == (
        "patch deployments/scale (apps)",
        "create serviceaccounts/token, only a, b",
    )


def test_a_wildcard_is_too_much_and_not_too_little():
    """Somebody with every right lacks none."""
    seen = _seen(_rule("*", "*", "*"))

    assert (excess(seen, ALLOWED), missing(seen, ALLOWED)) == (("* * (*)",), ())


def test_access_rules_become_rights():
    """The registry's rules are the list."""
    assert rights_of([AccessRule(group="apps", resource="deployments", verbs=("get", "patch"))]) == (
        Right(group="apps", resource="deployments", verb="get"),
        Right(group="apps", resource="deployments", verb="patch"),
    )
