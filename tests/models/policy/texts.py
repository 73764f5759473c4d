"""A small policy as text, and the ways in which tests change it."""

from models.policy.file import PolicyMistakes, load_policy

BASE = """\
version: 1
installation: lab
people:
  ana: [T0LOCAL:U0ANA, os:ana]
  ben: [T0LOCAL:U0BEN]
approvers:
  ops:
    people: [ana, ben]
  dba:
    people: [T0LOCAL:U0CYD]
    groups: [T0LOCAL:S0DBA]
pausing:
  may_pause: [ops, dba]
  may_resume: [ops]
environments:
  demo:
    channel: T0LOCAL:C0APPROVALS
    zone: Europe/Berlin
    digest: {weekday: monday, at: 09:00}
agents:
  scaler:
    charter: Keeps the shop fast.
    owners: {business: T0LOCAL:U0RIA, technical: T0LOCAL:U0RIA, risk: T0LOCAL:U0MIA}
    verbs: [scale]
    namespaces: {demo: [shop]}
    acts_for: [T0LOCAL:U0RIA]
limits:
  cpu:
    ceiling: 0.80
    unit: share
    description: Room for one lost node.
rules:
  - name: shop
    match: {environments: [demo]}
    ask:
      risk: low
      approvers: [ops]
      quorum: 1
      timeout: {default: 15m, least: 1m, most: 1h}
"""


def changed(*changes):
    """Return the small policy with each (old, new) pair replaced once; the old text must stand in it exactly once."""
    text = BASE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the policy"
        text = text.replace(old, new)
    return text.encode()


def mistakes_in(data):
    """Return the mistakes in a policy's bytes, as people read them; none where it loads."""
    try:
        load_policy(data)
    except PolicyMistakes as mistakes:
        return [str(mistake) for mistake in mistakes.mistakes]
    return []
