"""Writes: a merge patch of a workload or of its scale, in the order in which a real server judges it.

Object there (404), patch decodes (400, 422), names match (400), preconditions hold (409; a wrong uid is 422 in an
object and 409 in a scale), result is valid (422), no fence stands against it (403), and only then is anything stored.
A patch that changes nothing stores nothing. The caller holds the store's lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.cluster import ownership, refusals
from sandbox.cluster.decoding import patched
from sandbox.cluster.fences import Fences
from sandbox.cluster.identities import User
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.options import Options
from sandbox.cluster.routes import Call
from sandbox.cluster.schema import completed
from sandbox.cluster.store import Key, Store
from sandbox.cluster.validation import check_scale, check_workload

_MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"
_PATCHABLE_METADATA: Final = frozenset({"name", "namespace", "uid", "resourceVersion", "labels", "annotations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write led to."""

    body: JsonObject
    warnings: tuple[str, ...]
    changed: bool
    """Whether anything was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes to one store, behind its fences."""

    store: Store
    fences: Fences

    def patch(self, user: User, call: Call, body: bytes, options: Options) -> Written:
        """Patch the workload or the scale that *call* names.

        Raises:
            Refused: As the module says.
        """
        key = Key(call.resource, call.namespace, call.name)
        workload = self.store.workload(key)
        if call.subresource:
            return self._patch_scale(user, call, key, workload, body, options)
        return self._patch_workload(user, call, key, workload, body, options)

    def _patch_workload(
        self, user: User, call: Call, key: Key, before: JsonObject, body: bytes, options: Options
    ) -> Written:
        wanted, warnings = patched(key.kind, before, body, strictness=options.field_validation)
        _check_names(before, wanted)
        _check_offered(before, wanted)
        _check_version(key, before, wanted)
        after = completed(key.kind, {**wanted, "status": before["status"]})
        after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        check_workload(key.kind, before, after)
        self.fences.check_write(user, call, before=before, after=after, dry_run=options.dry_run)
        stored = self._store(key, before, after, options, time=self.store.timestamp())
        return Written(body=stored, warnings=warnings, changed=not options.dry_run and stored != before)

    def _patch_scale(
        self, user: User, call: Call, key: Key, workload: JsonObject, body: bytes, options: Options
    ) -> Written:
        before = scale_of(workload)
        wanted, warnings = patched("Scale", before, body, strictness=options.field_validation)
        _check_names(before, wanted)
        _check_uid(key, before, wanted)
        _check_version(key, before, wanted)
        check_scale(wanted)
        after = {**before, "spec": wanted.get("spec") or {}}
        # A fence is to see the number also where it is 0.
        sides = {"before": _spelt_out(before), "after": _spelt_out(after)}
        self.fences.check_write(user, call, **sides, dry_run=options.dry_run)
        scaled = {**workload, "spec": {**workload["spec"], "replicas": after["spec"].get("replicas") or 0}}
        stored = self._store(key, workload, scaled, options, subresource="scale")
        return Written(body=scale_of(stored), warnings=warnings, changed=not options.dry_run and stored != workload)

    def _store(
        self,
        key: Key,
        before: JsonObject,
        after: JsonObject,
        options: Options,
        *,
        subresource: str = "",
        time: str = "",
    ) -> JsonObject:
        """Return what *before* becomes; unless this is a dry run, it is stored."""
        if after == before:
            return before
        metadata = dict(after["metadata"])
        metadata["generation"] = before["metadata"]["generation"] + _is_new_generation(key, before, after)
        metadata["managedFields"] = ownership.transferred(
            before["metadata"]["managedFields"],
            before,
            after,
            manager=options.field_manager,
            subresource=subresource,
            time=time,
        )
        changed = {**after, "metadata": metadata}
        return changed if options.dry_run else self.store.put(key, changed)


def scale_of(workload: Mapping[str, Any]) -> JsonObject:
    """Return the Scale of a workload; like the server, without a number where that is 0."""
    given = workload["metadata"]
    metadata = {name: given[name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    replicas = workload["spec"]["replicas"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": workload["status"].get("replicas", 0), "selector": selector},
    }


def _spelt_out(scale: JsonObject) -> JsonObject:
    return {**scale, "spec": {"replicas": 0, **scale["spec"]}}


def _is_new_generation(key: Key, before: JsonObject, after: JsonObject) -> bool:
    if after["spec"] != before["spec"]:
        return True
    # Of a Deployment, annotations count as well.
    annotations = [side["metadata"].get("annotations") or {} for side in (before, after)]
    return key.kind == "Deployment" and annotations[0] != annotations[1]


def _check_names(before: JsonObject, wanted: JsonObject) -> None:
    old, new = before["metadata"], wanted.get("metadata") or {}
    if new.get("name") != old["name"]:
        raise refusals.bad_request(
            f"the name of the object ({new.get('name', '')}) does not match the name on the URL ({old['name']})"
        )
    if new.get("namespace") != old["namespace"]:
        raise refusals.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_offered(before: JsonObject, wanted: JsonObject) -> None:
    old, new = before["metadata"], wanted["metadata"]
    for name in sorted((old.keys() | new.keys()) - _PATCHABLE_METADATA):
        if old.get(name) != new.get(name):
            raise refusals.not_offered(f"changing metadata.{name}")


def _check_uid(key: Key, before: JsonObject, wanted: JsonObject) -> None:
    old, new = before["metadata"]["uid"], wanted["metadata"].get("uid")
    if new not in {None, old}:
        why = f"Precondition failed: UID in precondition: {new}, UID in object meta: {old}"
        raise refusals.conflict("apps", f"{key.resource}/scale", key.name, why)


def _check_version(key: Key, before: JsonObject, wanted: JsonObject) -> None:
    version = wanted["metadata"].get("resourceVersion") or "0"
    if not version.isascii() or not version.isdecimal():
        # What a real server answers; it calls its own parser's fault an internal error.
        raise refusals.Refused(500, "", f'strconv.ParseUint: parsing "{version}": invalid syntax')
    if int(version) and version != before["metadata"]["resourceVersion"]:
        raise refusals.conflict("apps", key.resource, key.name, _MODIFIED)
