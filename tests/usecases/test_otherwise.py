"""Otherwise than approved: the same check on every road, what people learn of it, and when nobody is blamed (I8, I9)."""

from typing import Any

import pytest

from approvals.audit.events import EventKind
from approvals.change.plan import Change, Redacted
from approvals.ports.cluster import Came, Reply
from approvals.usecases.execution.follow import NOT_COMPARED
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Phase, Reason
from tests.builders import ADA, MINUTE, an_action
from tests.usecases.looks import execution_of, story, tamper

IMAGE = "/spec/template/spec/containers/[web]/image"
NEW_IMAGE = Change(path=IMAGE, before="shop/checkout:1", after="shop/checkout:2")
WITH_IT = "The cluster changed something else with it than was approved."
SINCE = "from what was approved; whether that came with our write or since cannot be told."


@pytest.fixture
def approved(world):
    """The agent's question, approved; nothing of it has begun."""
    return world.answers(world.pending()).request


def container(world) -> dict[str, Any]:
    """Return the target's one container, to be changed behind everybody's back."""
    found: dict[str, Any] = world.cluster.checkout()["spec"]["template"]["spec"]["containers"][0]
    return found


def when_it_is_written(world, also):
    """Let the cluster do something else together with our next write, or right after it."""
    write = world.cluster._write

    def and_also(*args: Any, **kwargs: Any) -> None:
        world.cluster._write = write
        write(*args, **kwargs)
        also()

    world.cluster._write = and_also


def swap_the_image(world):
    """Let another image stand in the template."""
    container(world)["image"] = "shop/checkout:2"


def ended(world, request):
    """Return how it ended: effect, reason, message, drift."""
    execution = execution_of(world, request)
    return execution.effect, execution.reason, execution.message, execution.drift


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "read back"])
def test_what_came_with_our_write_is_drift_on_either_road(world, approved, lost):
    """The number is as approved and the image is another one: no success, whether the answer came or was lost."""
    world.cluster.lose_next_reply = lost
    when_it_is_written(world, lambda: swap_the_image(world))

    world.execute()

    assert ended(world, approved) == (Effect.FAILED, Reason.DRIFT, WITH_IT, (NEW_IMAGE,))


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "read back"])
def test_what_may_have_come_since_is_nobodys_fault(world, approved, lost):
    """Somebody else has written since: neither success nor blame, on either road."""

    def somebody_deploys() -> None:
        swap_the_image(world)
        metadata = world.cluster.checkout()["metadata"]
        metadata["generation"] += 1
        metadata["resourceVersion"] = "999"

    world.cluster.lose_next_reply = lost
    when_it_is_written(world, somebody_deploys)

    world.execute()

    read_back = "The reply was lost. " if lost else ""
    assert ended(world, approved) == (Effect.DIFFERS, None, f"{read_back}1 field differs {SINCE}", (NEW_IMAGE,))


@pytest.mark.parametrize("since", [False, True], ids=["with it", "or since"])
def test_who_could_not_look_at_first_makes_the_same_check(world, approved, instant, since):
    """The cluster answers the write and then nothing: the first look of whoever follows compares the whole."""

    def and_goes_down() -> None:
        swap_the_image(world)
        world.cluster.checkout()["metadata"]["generation"] += since
        world.cluster.down = True

    when_it_is_written(world, and_goes_down)
    world.execute()
    unseen = execution_of(world, approved)
    world.cluster.down = False
    world.execute()

    assert (unseen.effect, unseen.compared) == (Effect.IN_PROGRESS, False)
    effect, _, _, drift = ended(world, approved)
    assert (effect, drift) == (Effect.DIFFERS if since else Effect.FAILED, (NEW_IMAGE,))


def test_what_the_server_and_its_controllers_move_is_no_drift(world, approved):
    """Status, versions and the controller's annotation move with every write."""

    def churn() -> None:
        metadata = world.cluster.checkout()["metadata"]
        metadata["annotations"] = {"deployment.kubernetes.io/revision": "2"}
        metadata["resourceVersion"] = "999"

    world.cluster.lose_next_reply = True
    when_it_is_written(world, churn)

    world.execute()
    world.execute()

    assert ended(world, approved)[0] is Effect.VERIFIED


def test_a_forged_mark_alone_is_no_proof(world, approved, instant):
    """Somebody puts our name on a write of theirs that is not what was planned: that it landed is not said."""
    world.cluster.replies = [Reply(came=Came.LOST, message="The reply was lost.")]
    world.cluster.replies.append(Reply(came=Came.CONFLICT, status=409, message="Somebody was faster."))
    scripted = world.cluster.send

    def send(**call: Any) -> Reply:
        reply: Reply = scripted(**call)
        world.cluster._write(
            world.cluster.checkout(),
            {"spec": {"replicas": 9}},
            manager=f"countersign:{approved.id}",
            subresource="scale",
        )
        world.cluster.send = scripted
        return reply

    world.cluster.send = send
    world.execute()

    execution = execution_of(world, approved)
    assert (execution.state, execution.effect) == (Phase.UNKNOWN, None)
    assert execution.drift == (Change(path="/spec/replicas", before=6, after=9),)


def test_a_secret_that_changed_is_told_as_hidden(world, approved):
    """That it changed, not what it is or was; nor does the database hold it (I12)."""
    env = container(world)["env"][0]

    when_it_is_written(world, lambda: container(world).update(env=[{**env, "value": "hunter2"}]))
    world.execute()

    (change,) = execution_of(world, approved).drift
    assert isinstance(change.before, Redacted)
    assert isinstance(change.after, Redacted)
    assert "hunter2" not in repr(story(world, approved))


def told_of(world, request):
    """Return whom each event of a request tells of a drift, and of which."""
    return [
        (kind, data["approvers"], [one["path"] for one in data["execution"]["drift"]])
        for kind, _, data in story(world, request)
        if "approvers" in data
    ]


def test_who_approved_is_told_once(world, approved, instant):
    """In the event that finds it, and never again."""
    when_it_is_written(world, lambda: swap_the_image(world))
    world.execute()
    world.execute()

    assert told_of(world, approved) == [(EventKind.EXECUTION_APPLIED, [ADA], [IMAGE])]


def test_who_approved_is_told_what_drifted_before_the_start(world, approved):
    """The question that asks again says in what the target is otherwise; so does the old one."""
    world.cluster.somebody_scales(4)
    world.execute()

    number = Change(path="/spec/replicas", before=3, after=4)
    assert execution_of(world, approved).drift == (number,)
    assert told_of(world, approved) == [(EventKind.EXECUTION_VOIDED, [ADA], ["/spec/replicas"])]


def test_what_somebody_has_done_already_is_told_as_such(world, approved):
    """The target holds what was wanted: nothing is left to do, and people learn why it was not carried out."""
    world.cluster.somebody_scales(6)
    world.execute()

    assert execution_of(world, approved).drift == (Change(path="/spec/replicas", before=3, after=6),)


def test_an_image_that_was_changed_in_the_database_is_not_compared_with(world, approved, instant):
    """It is not what the start record names, so it says nothing, and no success either way hangs on it."""
    when_it_is_written(world, lambda: swap_the_image(world))
    send = world.cluster.send

    def send_and_tamper(**call: Any) -> Reply:
        tamper(world, "UPDATE images SET image = :image", image=b"{}")
        reply: Reply = send(**call)
        return reply

    world.cluster.send = send_and_tamper
    world.execute()

    unseen = execution_of(world, approved)
    instant.pass_by(MINUTE)
    world.execute()

    assert (unseen.effect, unseen.compared) == (Effect.IN_PROGRESS, False)
    assert ended(world, approved) == (Effect.DIFFERS, None, NOT_COMPARED, ())


def test_a_start_record_that_names_no_image_proves_nothing(world, approved, instant):
    """One from before images were kept, or one that somebody has changed: what followed is neither success nor blame."""
    world.cluster.lose_next_reply = True
    send = world.cluster.send

    def send_and_tamper(**call: Any) -> Reply:
        reply: Reply = send(**call)
        tamper(world, "UPDATE attempts SET image = NULL")
        return reply

    world.cluster.send = send_and_tamper
    world.execute()
    for _ in range(3):
        instant.pass_by(MINUTE)
        world.execute()

    assert ended(world, approved) == (Effect.DIFFERS, None, NOT_COMPARED, ())


def test_a_restart_is_compared_as_well(world):
    """Whatever else the cluster changes with it."""
    request = world.answers(world.pending(action=an_action("restart"))).request
    when_it_is_written(world, lambda: swap_the_image(world))

    world.execute()

    assert ended(world, request) == (Effect.FAILED, Reason.DRIFT, WITH_IT, (NEW_IMAGE,))
