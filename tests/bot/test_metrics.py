"""Figures count what happened, under names that stay."""

from approvals.ports.journey import Milestone
from bot.observe.metrics import Metrics
from bot.runtime.pools import BoundedPool, Pools


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_milestones_and_failures_are_counted_by_name():
    """Whose milestone it was is not in the figures."""
    metrics = Metrics()

    metrics.reached(Milestone.OPENED, "esc_planted")
    metrics.reached(Milestone.OPENED, "esc_planted")
    metrics.failed("expire")

    assert _value(metrics, "countersign_milestones_total", milestone="opened") == 2
    assert _value(metrics, "countersign_work_failures_total", work="expire") == 1
    assert b"planted" not in metrics.text()


def test_the_fill_of_each_pool_is_read_when_asked():
    """Every pool under its own name, as full as it is now."""
    metrics = Metrics()
    pools = Pools(**{name: BoundedPool(name, threads=1, queue=1) for name in ("urgent", "decide", "intake", "cluster")})
    metrics.watch_pools(pools)

    pools.decide.submit(lambda: None).result()
    pools.close()

    assert {pool: _value(metrics, "countersign_pool_in_hand", pool=pool) for pool in ("urgent", "decide")} == {
        "urgent": 0,
        "decide": 0,
    }


def test_two_processes_in_one_do_not_share_figures():
    """Each has a registry of its own, so tests and the demo can run several."""
    first, second = Metrics(), Metrics()

    first.refused("not_found")

    assert _value(first, "countersign_intake_refusals_total", code="not_found") == 1
    assert _value(second, "countersign_intake_refusals_total", code="not_found") is None
