"""Images: what a target was to look like as a whole, kept so that what differs can be told and nothing else."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import framed
from approvals.change.image import MOST_BYTES, PLAIN, deviations, image_hash, image_of, is_image
from approvals.change.plan import Change, Redacted
from tests.builders import a_mac, a_workload

CONTAINER = "/spec/template/spec/containers/[web]"


def the_mac(text: str) -> str:
    """Return a keyed hash that tells any two texts of these tests apart."""
    return f"{abs(hash(text)):032x}"


def changed(*way: str | int, to: Any) -> dict[str, Any]:
    """Return the workload with one field set; None takes it away."""
    thing = a_workload()
    place: Any = thing
    for part in way[:-1]:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    if to is None:
        del place[way[-1]]
    else:
        place[way[-1]] = to
    return thing


def differing(thing: dict[str, Any], other: dict[str, Any] | None = None) -> tuple[Change, ...]:
    """Return in what a thing is otherwise than the image of the workload, or of another."""
    return deviations(image_of(other or a_workload(), mac=the_mac), thing, mac=the_mac)


@pytest.mark.parametrize(
    ("thing", "change"),
    [
        (
            changed("spec", "template", "spec", "containers", 0, "image", to="shop/checkout:2"),
            Change(path=f"{CONTAINER}/image", before="shop/checkout:1", after="shop/checkout:2"),
        ),
        (changed("spec", "replicas", to=4), Change(path="/spec/replicas", before=3, after=4)),
        (changed("spec", "paused", to=True), Change(path="/spec/paused", before=None, after=True)),
        (
            changed("metadata", "annotations", "team", to="shop"),
            Change(path="/metadata/annotations/team", before=None, after="shop"),
        ),
        (
            changed("metadata", "labels", "app", to="x"),
            Change(path="/metadata/labels/app", before="checkout", after="x"),
        ),
        (
            changed("metadata", "deletionTimestamp", to="2026-11-20T12:00:00Z"),
            Change(path="/metadata/deletionTimestamp", before=None, after="2026-11-20T12:00:00Z"),
        ),
    ],
)
def test_any_field_that_differs_is_told(thing, change):
    """Whichever field it is, with what was approved and what is there."""
    assert differing(thing) == (change,)


@pytest.mark.parametrize(
    "thing",
    [
        a_workload(),
        changed("status", to={"replicas": 0}),
        changed("metadata", "resourceVersion", to="999"),
        changed("metadata", "generation", to=99),
        changed("metadata", "selfLink", to="/x"),
        changed("metadata", "managedFields", to=[{"manager": "kubectl", "time": "now"}]),
        changed("metadata", "creationTimestamp", to="2026-11-20T12:00:00Z"),
        changed("metadata", "annotations", to={"deployment.kubernetes.io/revision": "7"}),
        changed("metadata", "annotations", to={"countersign.dev/request-id": "esc_1"}),
    ],
)
def test_what_servers_and_controllers_move_is_no_difference(thing):
    """Status, versions, the book of managers, the controller's own annotations, and our mark."""
    assert differing(thing) == ()


def test_a_field_that_is_null_is_one_that_is_not_there():
    """Servers and clients write either."""
    thing = a_workload()
    thing["spec"]["template"]["metadata"]["creationTimestamp"] = None

    assert differing(thing) == ()


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), ("1", 1), ([], "[]"), ({}, []), (0.5, "0.5"), (["a", "b"], ["b", "a"])]
)
def test_different_values_that_look_alike_differ(one, other):
    """Of whichever type, and in whichever order."""
    assert differing(changed("spec", "odd", to=one), changed("spec", "odd", to=other)) != ()


def test_named_items_that_change_places_differ():
    """Init containers run in their order."""
    first, second = {"name": "a"}, {"name": "b"}
    one, other = changed("spec", "odd", to=[first, second]), changed("spec", "odd", to=[second, first])

    assert [change.path for change in differing(one, other)] == ["/spec/odd/[order]"]


SECRETS = [
    (("spec", "template", "spec", "containers", 0, "env", 0, "value"), "hunter2-in-env"),
    (("spec", "template", "spec", "containers", 0, "args"), ["--user", "hunter2-in-args"]),
    (("spec", "template", "spec", "containers", 0, "command"), ["sh", "hunter2-in-command"]),
    (("metadata", "annotations", "db-password"), "hunter2-by-name"),
    (("metadata", "annotations", "db-pin-token"), 4711),
    (("metadata", "annotations", "dsn-like"), "postgres://app:hunter2@db/shop"),
    (("metadata", "annotations", "flags"), "--api-key=hunter2"),
    (("metadata", "annotations", "note"), "xoxb-1234567890-hunter2"),
    (("metadata", "annotations", "blob"), "hunter2" * 30),
    (("spec", "odd"), 0.25),
]


@pytest.mark.parametrize(("way", "secret"), SECRETS, ids=[str(way[-1]) for way, _ in SECRETS])
def test_no_secret_is_kept_or_told_and_its_change_is(way, secret):
    """By name, by place, by look, or because it is long: kept as a keyed hash, and shown as hidden (I12)."""
    was, now = changed(*way, to=secret), changed(*way, to=["other"] if isinstance(secret, list) else "other")

    image, found = image_of(was, mac=the_mac), differing(was, now)

    assert b"hunter2" not in image
    assert b"4711" not in image
    assert "hunter2" not in repr(found)
    assert all(isinstance(change.after, Redacted) for change in found if change.after is not None)
    assert found


@pytest.mark.parametrize(("length", "plain"), [(PLAIN, True), (PLAIN + 1, False)])
def test_a_short_plain_text_is_told_as_it_is(length, plain):
    """Up to the bound, which is included."""
    (change,) = differing(changed("metadata", "annotations", "note", to="x" * length))

    assert (change.after == "x" * length) is plain


def test_a_number_that_no_hash_can_hold_is_kept_by_its_keyed_hash():
    """It tells still that it differs; what events hold goes no further than 2^53 - 1."""
    (one,) = differing(changed("spec", "replicas", to=2**53))

    assert (one.path, one.before, type(one.after)) == ("/spec/replicas", 3, Redacted)
    (other,) = differing(changed("spec", "replicas", to=2**53 - 1))
    assert other.after == 2**53 - 1


def test_an_image_is_known_by_either_hash():
    """A start record of before names its image by the hash of its own time."""
    image = image_of(a_workload(), mac=the_mac)
    before = framed.tagged_hash("countersign/image/1", image)

    assert [is_image(image, hashed) for hashed in (image_hash(image), before, "0" * 64)] == [True, True, False]


def test_a_large_object_is_kept_in_less_detail():
    """The image stays within its bound; that something deep differs is still told, by the path above it."""
    large = a_workload()
    large["spec"]["template"]["spec"]["volumes"] = [
        {"name": f"v{n}", "configMap": {"name": f"m{n}"}} for n in range(900)
    ]
    other = copy.deepcopy(large)
    other["spec"]["template"]["spec"]["volumes"][700]["configMap"]["name"] = "another"

    image = image_of(large, mac=the_mac)

    assert len(image) <= MOST_BYTES
    assert json.loads(image)["depth"] < 32
    (change,) = deviations(image, other, mac=the_mac)
    assert change.path.startswith("/spec/template")
    assert deviations(image, large, mac=the_mac) == ()


def test_what_cannot_be_made_small_is_kept_at_its_least():
    """A hundred thousand keys at the top are more than a server takes; nothing fails over them."""
    large = {"metadata": {}, **{f"key-{n:05}": n for n in range(3_000)}}

    assert json.loads(image_of(large, mac=the_mac))["depth"] == 1


def test_an_image_is_known_by_its_hash():
    """Somebody who changes it in the database changes that."""
    image = image_of(a_workload(), mac=a_mac)

    assert image_hash(image) == image_hash(bytes(image))
    assert image_hash(image) != image_hash(image + b" ")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_nothing_differs_from_itself(spec):
    """Whatever an object holds."""
    thing = {"metadata": {"name": "x"}, "spec": spec}

    assert deviations(image_of(thing, mac=the_mac), copy.deepcopy(thing), mac=the_mac) == ()
