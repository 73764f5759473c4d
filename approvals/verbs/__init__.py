"""Verbs: what can be done to a cluster, one file a verb, over what all of them share.

Reading order: :mod:`approvals.verbs.verb` (what a verb is), :mod:`approvals.verbs.workload` and its neighbours (what verbs about
workloads share), a verb such as :mod:`approvals.verbs.scale`, and :mod:`approvals.verbs.registry` (which verbs there are).
"""
