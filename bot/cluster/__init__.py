"""The door to Kubernetes: plans, writes and observes for every verb. The only importer of its client library.

Reading order: :mod:`bot.cluster.calls` (how every request is made), :mod:`bot.cluster.connections` (the bot's own
account), :mod:`bot.cluster.identities` (minted tokens), :mod:`bot.cluster.interpreter` (dry runs),
:mod:`bot.cluster.executor` (the one write), :mod:`bot.cluster.observer` (what became of it), and
:mod:`bot.cluster.door`, which puts them together as the port the use cases know. Beside them stand the rights all this
needs: :mod:`bot.cluster.access`, :mod:`bot.cluster.fences` and :mod:`bot.cluster.manifests` say what they are,
:mod:`bot.cluster.checks` finds out whether a cluster grants exactly those.
"""
