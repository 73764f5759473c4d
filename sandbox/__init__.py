"""The sandbox: what stands for somebody else's machine, and what plays with it. It is no part of the installed product.

:mod:`sandbox.workspace` (Slack), :mod:`sandbox.cluster` (a small API server with faults) and :mod:`sandbox.agent` stand in for
what a demo or a test has no access to; :mod:`sandbox.devcluster` runs a real control plane on loopback. They import nothing of
ours, so that they cannot share our mistakes. :mod:`sandbox.demo` runs the whole product over them. Only it and tests come here.
"""
