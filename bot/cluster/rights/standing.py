"""Standing: whether a cluster's admission policies are the generated ones, word by word.

A sample shows that a policy refuses one thing; a policy without its rules for StatefulSets, one that lets pass what it cannot
judge, or a binding that spares a namespace refuses that sample all the same. So the specifications are compared whole. Pure;
asked at the start and again while the service runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bot.cluster.rights.fences import Manifest
from bot.cluster.rights.rbac import Listed

_KINDS: Final = {
    "ValidatingAdmissionPolicy": "admission policy",
    "ValidatingAdmissionPolicyBinding": "binding of the admission policy",
}


def fallen(*, policies: Listed, bindings: Listed, generated: Iterable[Manifest]) -> tuple[str, ...]:
    """Return, in words, which of the *generated* policies and bindings do not stand in the cluster; none is good.

    What is there beside them is nobody's concern here: one more policy or binding can only refuse more.
    """
    found = {
        **{("ValidatingAdmissionPolicy", one["metadata"]["name"]): one for one in policies},
        **{("ValidatingAdmissionPolicyBinding", one["metadata"]["name"]): one for one in bindings},
    }
    sentences = (_fault(one, found.get((one["kind"], one["metadata"]["name"]))) for one in generated)
    return tuple(sentence for sentence in sentences if sentence is not None)


def _fault(wanted: Manifest, found: Mapping[str, Any] | None) -> str | None:
    what = f"the {_KINDS[wanted['kind']]} {wanted['metadata']['name']}"
    if found is None:
        return f"{what} is missing"
    if "deletionTimestamp" in found["metadata"]:
        return f"{what} is being deleted"
    differing = _differing(wanted["spec"], found.get("spec") or {})
    return f"{what} is not the generated one (it differs in {', '.join(differing)})" if differing else None


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:
    """Return the fields of a specification that differ. Strict on purpose: a field that we do not know may loosen it."""
    return [field for field in sorted({*wanted, *found}) if wanted.get(field) != found.get(field)]
