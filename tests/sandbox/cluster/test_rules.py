"""The stand-in's pure rules: patching and comparing JSON, ownership of fields, and the arithmetic of rollouts."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cluster import PULL_FAILS, Seed, StandIn, deployment, stateful_set
from sandbox.cluster.course import looked, moved, settled, status_of
from sandbox.cluster.jsontypes import ABSENT, NotJson, changed_pointers, merge, read_object
from sandbox.cluster.rollout import Pods, Rollout
from sandbox.cluster.schema import completed
from tests.sandbox.cluster.wire import Wire
from tests.waiting import wait_until

AT = "2026-01-01T00:00:00Z"
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab~/", max_size=3)
OBJECTS = st.recursive(
    st.dictionaries(st.text("ab~/", max_size=3), LEAVES, max_size=3),
    lambda inner: st.dictionaries(
        st.text("ab~/", max_size=3), inner | LEAVES | st.lists(LEAVES, max_size=2), max_size=3
    ),
    max_leaves=12,
)


class TestJson:
    """Reading, merging and comparing."""

    @pytest.mark.parametrize(
        ("target", "patch", "result"),
        [
            ({"a": 1}, {"a": 2}, {"a": 2}),
            ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
            ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
            ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
            ({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}, {"a": {"c": 2, "d": 3}}),
            ({"a": "x"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
            ({}, {"a": {"b": None}}, {"a": {}}),
            ({"a": 1}, {}, {"a": 1}),
        ],
    )
    def test_a_merge_patch(self, target, patch, result):
        """Objects are merged, null removes, everything else replaces."""
        assert merge(target, patch) == result

    @given(OBJECTS, OBJECTS)
    def test_a_merge_patch_takes_hold_once(self, target, patch):
        """The same patch again changes nothing, and neither side is touched."""
        before = (repr(target), repr(patch))

        once = merge(target, patch)

        assert merge(once, patch) == once
        assert (repr(target), repr(patch)) == before

    @given(OBJECTS, OBJECTS)
    def test_every_difference_is_pointed_at(self, before, after):
        """There is a pointer exactly where the two differ, and none is given twice."""
        pointers = [pointer for pointer, _old, _new in changed_pointers(before, after)]

        assert len(pointers) == len(set(pointers))
        assert not list(changed_pointers(before, before))
        assert not any(old is ABSENT and new is ABSENT for _pointer, old, new in changed_pointers(before, after))

    def test_pointers(self):
        """Keys are escaped, whole subtrees are given leaf by leaf, lists as one."""
        before = {"a": {"x/y": 1, "gone": True}, "l": [1]}
        after = {"a": {"x/y": 2, "~new": {"deep": 0}}, "l": [1, 2]}

        assert list(changed_pointers(before, after)) == [
            ("/a/gone", True, ABSENT),
            ("/a/x~1y", 1, 2),
            ("/a/~0new/deep", ABSENT, 0),
            ("/l", [1], [1, 2]),
        ]

    def test_repeated_keys_are_seen(self):
        """The last one counts, and each path is told, inside lists as well."""
        value, repeated = read_object(b'{"a": 1, "a": 2, "b": [{"c": 1, "c": 2}], "d": {"e": {"f": 1, "f": 1}}}')

        assert value == {"a": 2, "b": [{"c": 2}], "d": {"e": {"f": 1}}}
        assert repeated == ("a", "b[0].c", "d.e.f")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"[]",
            b'"a"',
            b"{",
            b'{"a": NaN}',
            b'{"a": Infinity}',
            b"\xff",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"a":' * 300 + b"[" * 300 + b"]" * 300 + b"}" * 300,
        ],
    )
    def test_what_is_no_object(self, data):
        """Also what is nested too deeply to be read."""
        with pytest.raises(NotJson):
            read_object(data)


NUMBERS = st.integers(0, 40)
ROLLOUTS = st.builds(
    Rollout,
    is_deployment=st.booleans(),
    wanted=NUMBERS,
    start=st.builds(Pods, NUMBERS, NUMBERS),
    is_stuck=st.booleans(),
    is_held=st.booleans(),
    is_adopted=st.booleans(),
)


class TestArithmetic:
    """The numbers of a rollout, at any moment."""

    @given(ROLLOUTS, st.floats(0, 1))
    def test_numbers_make_sense(self, rollout, progress):
        """No number is below 0; ready and updated pods are among all, and all are within what may be there on top."""
        pods = rollout.pods(progress)
        counts = rollout.counts(pods)

        surge = math.ceil(rollout.wanted / 4) if rollout.is_deployment else 0
        assert min(pods.old, pods.fresh, counts.total, counts.updated, counts.ready) >= 0
        assert counts.ready <= counts.total <= rollout.wanted + surge
        assert counts.updated <= min(counts.total, rollout.wanted)

    @given(ROLLOUTS)
    def test_it_ends_unless_it_is_stuck(self, rollout):
        """All of the way, everything is as asked for, and nothing counts as missing."""
        pods = rollout.pods(1.0)

        if not rollout.is_stuck:
            assert rollout.is_done(pods)
            assert rollout.counts(pods).ready == rollout.counts(pods).total == rollout.wanted

    @given(ROLLOUTS, st.floats(0, 1), st.floats(0, 1))
    def test_it_never_goes_back(self, rollout, one, other):
        """Later there are no more old pods and no fewer fresh ones."""
        earlier, later = (rollout.pods(progress) for progress in sorted((one, other)))

        assert later.old <= earlier.old
        assert later.fresh >= earlier.fresh

    @given(st.integers(1, 40), st.booleans())
    def test_a_stuck_deployment_keeps_most_of_its_pods(self, wanted, is_new):
        """At least three quarters of the old pods stay while new ones do not come up."""
        rollout = Rollout(is_deployment=True, wanted=wanted, start=Pods(wanted, 0), is_stuck=True, is_adopted=is_new)

        assert rollout.pods(1.0).old == wanted - wanted // 4


def workload(kind="Deployment", *, generation=1, replicas=3, **spec):
    """Return a workload of a generation, with the template given in *spec* or a plain one."""
    made = (deployment if kind == "Deployment" else stateful_set)("shop", "web", replicas=replicas)
    made["spec"] |= spec
    whole = completed(kind, made)
    whole["metadata"] |= {"uid": "u", "generation": generation}
    return {**whole, "status": {}}


def template(mark, **labels):
    """Return a template that differs by *mark*."""
    return {"metadata": {"labels": {"app": "web", **labels}, "annotations": {"mark": mark}}, "spec": {"containers": []}}


class TestCourses:
    """What the controller makes of changes, moment by moment."""

    def test_a_stateful_set_rolls_one_pod_at_a_time(self):
        """While one is replaced the others are ready; its revisions are two until the end."""
        before = settled(workload("StatefulSet", template=template("one")), 0.0)
        changed = workload("StatefulSet", template=template("two"), generation=2)

        course = looked(before, changed, 10.0)
        seen = []
        for instant in (10.0, 11.0, 12.0, 13.0):
            course = moved(course, changed["spec"], instant, duration=3.0)
            status = status_of(course, changed, at=AT)
            alike = status["currentRevision"] == status["updateRevision"]
            numbers = [
                status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas", "currentReplicas")
            ]
            seen.append((*numbers, alike))

        assert seen == [(3, 2, 1, 2, False), (3, 2, 2, 1, False), (3, 2, 3, 0, False), (3, 3, 3, 3, True)]
        assert not course.is_moving

    def test_scaling_after_a_rollout_speaks_of_one_revision(self):
        """Once no old pod is left, the revision before is forgotten."""
        first = settled(workload("StatefulSet", template=template("one")), 0.0)
        second = workload("StatefulSet", template=template("two"), generation=2)
        rolled = moved(looked(first, second, 10.0), second["spec"], 13.0, duration=3.0)
        third = workload("StatefulSet", template=template("two"), generation=3, replicas=5)

        status = status_of(looked(rolled, third, 20.0), third, at=AT)

        assert status["currentRevision"] == status["updateRevision"]

    def test_pods_replaced_by_hand_wait(self):
        """With OnDelete a new template changes no pod, and its revision stays to come."""
        by_hand = {"updateStrategy": {"type": "OnDelete"}}
        before = settled(workload("StatefulSet", template=template("one"), **by_hand), 0.0)
        changed = workload("StatefulSet", template=template("two"), generation=2, **by_hand)

        course = moved(looked(before, changed, 10.0), changed["spec"], 99.0, duration=3.0)

        status = status_of(course, changed, at=AT)
        assert (status["replicas"], status["readyReplicas"], status.get("updatedReplicas")) == (3, 3, None)
        assert status["currentRevision"] != status["updateRevision"]
        assert not course.is_moving

    def test_a_rollout_that_is_paused_half_way_stays_there(self):
        """Old pods stay while it is paused, and go once it is resumed."""
        first = settled(workload(template=template("one")), 0.0)
        second = workload(template=template("two"), generation=2)
        half = moved(looked(first, second, 10.0), second["spec"], 11.5, duration=3.0)
        paused = workload(template=template("two"), generation=3, paused=True)
        still = moved(looked(half, paused, 11.6), paused["spec"], 99.0, duration=3.0)
        resumed = workload(template=template("two"), generation=4)
        done = moved(looked(still, resumed, 100.0), resumed["spec"], 103.0, duration=3.0)

        assert (half.pods, still.pods, done.pods) == (Pods(2, 1), Pods(2, 1), Pods(0, 3))
        assert [course.revision for course in (first, half, still, done)] == [1, 2, 2, 2]

    def test_a_stuck_rollout_that_is_scaled_says_timed_out_once_more(self):
        """The first status of the new generation still carries the old verdict, and then it waits anew."""
        stuck = {"template": template("one", **dict([PULL_FAILS])), "progressDeadlineSeconds": 5}
        before = settled(workload(**stuck), 0.0)
        scaled = workload(generation=2, replicas=4, **stuck)

        first = looked(before, scaled, 10.0)
        second = moved(first, scaled["spec"], 10.1, duration=3.0)
        last = moved(second, scaled["spec"], 15.0, duration=3.0)

        reasons = [
            status_of(course, scaled, at=AT)["conditions"][1]["reason"] for course in (before, first, second, last)
        ]
        assert reasons == [
            "ProgressDeadlineExceeded",
            "ProgressDeadlineExceeded",
            "ReplicaSetUpdated",
            "ProgressDeadlineExceeded",
        ]
        assert not last.is_moving

    def test_a_condition_that_stays_keeps_its_times(self):
        """Only what turns gets a new time of transition."""
        before = workload()
        before["status"] = status_of(settled(before, 0.0), before, at=AT)
        changed = workload(generation=2, template=template("two")) | {"status": before["status"]}

        available, progressing = status_of(looked(settled(before, 0.0), changed, 1.0), changed, at="later")[
            "conditions"
        ]

        assert (available["lastUpdateTime"], available["lastTransitionTime"]) == (AT, AT)
        assert (progressing["lastUpdateTime"], progressing["lastTransitionTime"]) == ("later", AT)


def test_a_rollout_takes_its_time(tmp_path):
    """With a pace that people can watch, the numbers move step by step, and the lag is seen first."""
    seed = Seed(namespaces=("shop",), workloads=(deployment("shop", "web", replicas=1),))
    seen = []
    with StandIn(tmp_path, seed, rollout=timedelta(seconds=3), lag=timedelta(seconds=1)) as cluster:
        wire = Wire(cluster.server, token=cluster.token())
        path = "/apis/apps/v1/namespaces/shop/deployments/web"
        wire.patch(f"{path}/scale", {"spec": {"replicas": 4}})

        def note():
            status = wire.get(path)["status"]
            now = (status["observedGeneration"], status["replicas"], status["readyReplicas"])
            if now not in seen:
                seen.append(now)
            return now == (2, 4, 4)

        wait_until(note, what="four pods are ready", every_s=0.005)

    assert seen[0] == (1, 1, 1)
    assert seen[1] == (2, 4, 1)
    assert seen[-1] == (2, 4, 4)
    assert seen == sorted(seen)
