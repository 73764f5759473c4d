"""Diffs: whatever differs is shown, whoever caused it; what may be secret is hidden and still told apart."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.change.plan import Change, Redacted
from tests.builders import a_mac, a_workload, changes

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "a", "[]", "{}", "1", "true"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=6,
)


def specs(before: Any, after: Any) -> tuple[Change, ...]:
    """Return the changes between two objects that hold nothing but these specifications."""
    return changes({"spec": before}, {"spec": after})


def test_what_changed_is_named_by_pointer_with_both_values():
    """Additions, removals and edits are listed by path; what is absent is None; the order is the paths'."""
    assert specs(
        {"replicas": 3, "paused": True, "a/b~c": "x"}, {"replicas": 6, "minReadySeconds": 5, "a/b~c": "y"}
    ) == (
        Change(path="/spec/a~1b~0c", before="x", after="y"),
        Change(path="/spec/minReadySeconds", before=None, after=5),
        Change(path="/spec/paused", before=True, after=None),
        Change(path="/spec/replicas", before=3, after=6),
    )


@given(JSON)
def test_nothing_changes_between_an_object_and_itself(spec):
    """An object differs from itself in nothing."""
    assert specs(spec, copy.deepcopy(spec)) == ()


@given(JSON, JSON)
def test_whatever_differs_is_a_change(before, after):
    """No difference hides: not 1 against true, not an empty list against its text, not null against absent."""
    assert bool(specs(before, after)) == (repr_of(before) != repr_of(after))


def repr_of(value: Any) -> str:
    """Return *value* as text that tells all values apart, whatever the order of a mapping's keys."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {repr_of(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(repr_of, value))}]"
    return repr(value)


def test_what_the_server_keeps_for_itself_is_left_out():
    """Status, bookkeeping and our own mark move by themselves and are no change (I9)."""
    before = a_workload()
    after = a_workload()
    after["status"] = {}
    after["metadata"] |= {"resourceVersion": "999", "generation": 9, "managedFields": [{"manager": "x"}]}
    after["metadata"] |= {"creationTimestamp": "2026-11-20T12:00:00Z"}
    after["metadata"]["annotations"] = {
        "deployment.kubernetes.io/revision": "2",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "countersign.dev/request-id": "esc_1",
    }

    assert changes(before, after) == ()


def test_everything_else_of_the_metadata_counts():
    """A label, a foreign annotation and another uid are changes like any other."""
    before = a_workload()
    after = a_workload()
    after["metadata"]["labels"]["team"] = "shop"
    after["metadata"]["annotations"] = {"note": "x", "countersign.dev/request-id": "esc_1"}
    after["metadata"]["uid"] = "another"

    assert changes(before, after) == (
        Change(path="/metadata/annotations/note", before=None, after="x"),
        Change(path="/metadata/labels/team", before=None, after="shop"),
        Change(path="/metadata/uid", before="1d0f8f3e-52f3-4b0e-8f43-5c1f2d5c7a10", after="another"),
    )


def test_what_a_webhook_adds_is_shown_like_our_own_change():
    """A mutating webhook's sidecar and image are seen, item by name, beside what was asked for (I8)."""
    before = a_workload()
    after = a_workload(replicas=6)
    containers = after["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "sidecar", "image": "mesh:2"})
    containers[1]["image"] = "shop/checkout:2"

    assert changes(before, after) == (
        Change(path="/spec/replicas", before=3, after=6),
        Change(path="/spec/template/spec/containers/[sidecar]/image", before=None, after="mesh:2"),
        Change(path="/spec/template/spec/containers/[sidecar]/name", before=None, after="sidecar"),
        Change(path="/spec/template/spec/containers/[web]/image", before="shop/checkout:1", after="shop/checkout:2"),
    )


def test_items_by_name_are_compared_with_their_namesakes():
    """An item put in before others does not make all of them look changed."""
    first, second = {"name": "a", "image": "1"}, {"name": "b", "image": "2"}

    assert specs([first], [second, first]) == (
        Change(path="/spec/[b]/image", before=None, after="2"),
        Change(path="/spec/[b]/name", before=None, after="b"),
    )


def test_items_that_change_places_are_a_change_of_their_list():
    """Init containers run in their order, so another order is shown although each item is the same; also inside an item."""
    migrate = {"name": "migrate", "image": "1"}
    seed = {"name": "seed", "mounts": [{"name": "x"}, {"name": "y"}]}
    turned = {"name": "seed", "mounts": [{"name": "y"}, {"name": "x"}]}

    assert specs({"init": [migrate, seed]}, {"init": [turned, {"name": "log"}, migrate]}) == (
        Change(path="/spec/init", before="[migrate] [seed]", after="[seed] [migrate]"),
        Change(path="/spec/init/[log]/name", before=None, after="log"),
        Change(path="/spec/init/[seed]/mounts", before="[x] [y]", after="[y] [x]"),
    )


@pytest.mark.parametrize(
    "items",
    [["a", "b"], [{"name": "a"}, {"other": "b"}], [{"name": "a"}, {"name": "a"}], [{"name": 1}, {"name": 2}]],
    ids=["plain", "one without a name", "twice the same name", "names that are no text"],
)
def test_items_without_names_of_their_own_are_compared_by_place(items):
    """Where names do not tell items apart, their places do: turned round, both places differ."""
    found = specs(items, [items[1], items[0]] if items[0] != items[1] else [*items, {"name": "b"}])

    assert {change.path.split("/")[2] for change in found} <= {"[0]", "[1]", "[2]"}
    assert found


def test_empty_and_fractional_values_are_shown_as_json():
    """A leaf that is neither text nor a whole number is shown as it would be written."""
    assert specs({"a": {}, "b": [], "c": 0.5}, {"a": {"k": 1}, "b": [2], "c": 1.5}) == (
        Change(path="/spec/a", before="{}", after=None),
        Change(path="/spec/a/k", before=None, after=1),
        Change(path="/spec/b", before="[]", after=None),
        Change(path="/spec/b/[0]", before=None, after=2),
        Change(path="/spec/c", before="0.5", after="1.5"),
    )


def filled(spec: Any, text: str) -> Any:
    """Return *spec* with *text* wherever it says ``X``."""
    return json.loads(json.dumps(spec).replace('"X"', json.dumps(text)))


@pytest.mark.parametrize(
    "spec",
    [
        {"password": "X"},
        {"DB_PASSWD": "X"},
        {"passphrase": "X"},
        {"clientSecret": "X"},
        {"apiKey": "X"},
        {"api_key": "X"},
        {"private-key": "X"},
        {"dsn": "X"},
        {"authorization": "X"},
        {"tokens": ["X"]},
        {"credentials": {"any": "X"}},
        {"containers": [{"name": "web", "env": [{"name": "MODE", "value": "X"}]}]},
        {"env": [{"name": "MODE", "value": "X"}]},
    ],
    ids=lambda spec: repr(spec)[:40],
)
def test_what_may_be_secret_is_hidden_and_still_told_apart(spec):
    """I12: neither value appears; a hidden edit is still a change, and two hidden values have two marks."""
    hidden, edited = filled(spec, "hunter2"), filled(spec, "hunter3")

    (change,) = specs(hidden, edited)

    assert "hunter" not in repr(change)
    assert isinstance(change.before, Redacted)
    assert isinstance(change.after, Redacted)
    assert change.before != change.after
    assert specs(hidden, hidden) == ()


def test_a_hidden_value_that_comes_or_goes_says_so():
    """Whether a secret field was set before is no secret: absent is None."""
    kept = {"kept": 1}
    (added,) = specs(kept, {**kept, "password": "hunter2"})
    (gone,) = specs({**kept, "password": "hunter2"}, kept)

    mark = Redacted(mac=a_mac('[["spec","password"],"hunter2"]'))
    assert (added, gone) == (
        Change(path="/spec/password", before=None, after=mark),
        Change(path="/spec/password", before=mark, after=None),
    )


def test_the_mark_of_a_hidden_value_is_bound_to_its_place():
    """One secret in two places has two marks, so that marks cannot be compared across fields to learn what is equal."""
    marks = {change.after for change in specs({"kept": 1}, {"kept": 1, "password": "hunter2", "token": "hunter2"})}

    assert len(marks) == 2


@pytest.mark.parametrize(
    "spec",
    [
        {"automountServiceAccountToken": "X"},
        {"imagePullSecrets": [{"other": "X"}]},
        {"env": [{"name": "X"}]},
        {"value": "X"},
        {"image": "X"},
    ],
    ids=lambda spec: repr(spec)[:40],
)
def test_what_only_sounds_secret_is_shown(spec):
    """Field names of Kubernetes that hold no secret stay readable: an approver must see what changes."""
    found = specs({"kept": 1}, {"kept": 1, **filled(spec, "plain")})

    assert {change.after for change in found} == {"plain"}


def test_an_object_without_metadata_is_compared_as_far_as_it_goes():
    """A raw object that lacks metadata, or has it null, is no crash."""
    assert changes({}, {"metadata": None, "data": "x"}) == (Change(path="/data", before=None, after="x"),)
