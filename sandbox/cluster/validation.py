"""Validation: what a Deployment, a StatefulSet and a Scale may hold, and what may not change in them.

Only the rules that a patch of a workload can run into; :mod:`sandbox.cluster.schema` has seen to the types before.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.refusals import Cause

_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_NAME_MOST: Final = 63
_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PREFIX_MOST: Final = 253
_ANNOTATIONS_MOST: Final = 256 * 1024

_STATEFUL_MUTABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def check_workload(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Return if *after* is valid and may follow *before*.

    Raises:
        Refused: 422, with a cause for each field.
    """
    causes = [
        *_metadata_causes(before["metadata"], after["metadata"]),
        *_replica_causes(after),
        *_template_causes(after["spec"]),
        *(_deployment_causes if kind == "Deployment" else _stateful_causes)(before["spec"], after["spec"]),
    ]
    if causes:
        raise refusals.invalid("apps", kind, after["metadata"]["name"], causes)


def check_scale(scale: Mapping[str, Any]) -> None:
    """Return if *scale* asks for a possible number.

    Raises:
        Refused: 422.
    """
    causes = list(_replica_causes(scale))
    if causes:
        raise refusals.invalid("autoscaling", "Scale", scale["metadata"]["name"], causes)


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {why}", field)


def _replica_causes(value: Mapping[str, Any]) -> Iterator[Cause]:
    replicas = (value.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        yield _invalid("spec.replicas", replicas, "must be greater than or equal to 0")


def _metadata_causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
    if after["uid"] != before["uid"]:
        yield _invalid("metadata.uid", after["uid"], "field is immutable")
    yield from _map_causes("metadata", after)


def _map_causes(field: str, metadata: Mapping[str, Any]) -> Iterator[Cause]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    for key, value in labels.items():
        if not _is_key(key):
            yield _invalid(f"{field}.labels", key, "name part must consist of alphanumeric characters, '-', '_' or '.'")
        if value and not _is_name(value):
            yield _invalid(
                f"{field}.labels", value, "a valid label must be an empty string or consist of alphanumeric characters"
            )
    for key in annotations:
        if not _is_key(key.lower()):
            yield _invalid(
                f"{field}.annotations", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"
            )
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_MOST:
        yield Cause(
            "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS_MOST} bytes", f"{field}.annotations"
        )


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return _is_name(name) and (not slash or (len(prefix) <= _PREFIX_MOST and _PREFIX.fullmatch(prefix) is not None))


def _is_name(name: str) -> bool:
    return len(name) <= _NAME_MOST and _NAME.fullmatch(name) is not None


def _template_causes(spec: Mapping[str, Any]) -> Iterator[Cause]:
    metadata = spec["template"].get("metadata") or {}
    labels = metadata.get("labels") or {}
    wanted = (spec.get("selector") or {}).get("matchLabels") or {}
    # The server, too, leaves `metadata` out of these two paths.
    yield from _map_causes("spec.template", metadata)
    if any(labels.get(key) != value for key, value in wanted.items()):
        yield _invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _deployment_causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
    if after.get("selector") != before.get("selector"):
        yield _invalid("spec.selector", after.get("selector"), "field is immutable")


def _stateful_causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
    fixed = (before.keys() | after.keys()).difference(_STATEFUL_MUTABLE)
    if any(before.get(field) != after.get(field) for field in fixed):
        names = ", ".join(f"'{field}'" for field in _STATEFUL_MUTABLE[:-1]) + f" and '{_STATEFUL_MUTABLE[-1]}'"
        said = f"Forbidden: updates to statefulset spec for fields other than {names} are forbidden"
        yield Cause("FieldValueForbidden", said, "spec")
