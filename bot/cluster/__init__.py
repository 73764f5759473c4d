"""The door to Kubernetes: plans, writes and observes for every verb. The only importer of its client library.

Reading order: :mod:`bot.cluster.client.calls` (how every request is made), :mod:`bot.cluster.client.connections` (the bot's own
account), :mod:`bot.cluster.client.identities` (minted tokens), :mod:`bot.cluster.execution.interpreter` (dry runs),
:mod:`bot.cluster.execution.executor` (the one write), :mod:`bot.cluster.execution.observer` (what became of it), and
:mod:`bot.cluster.door`, which puts them together as the port the use cases know. Beside them stand the rights all this
needs: :mod:`bot.cluster.rights.access`, :mod:`bot.cluster.rights.fences` and :mod:`bot.cluster.rights.manifests` say what they
are,
:mod:`bot.cluster.rights.checks` finds out whether a cluster grants exactly those.
"""
