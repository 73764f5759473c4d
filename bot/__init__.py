"""The doors: where agents, approvers, the cluster and the operator come in. They hold no rules.

A door checks what a stranger brings, turns it into the court's nouns, calls one use case and answers. Rules live in
:mod:`approvals`, memory in :mod:`models`. Doors do not import each other; :mod:`bot.app` wires them.
"""
