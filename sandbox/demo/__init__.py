"""The demo: the whole product on one machine, with stand-ins for what a stranger does not have at hand.

Everything that runs is the production code; the workspace, the agent and, where there is no better one, the cluster stand in
for the outside. :mod:`sandbox.demo.clusters` says which cluster it is, :mod:`sandbox.demo.show` what happens in which order.
"""
