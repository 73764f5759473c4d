"""The doors: where agents, approvers, the cluster and the operator come in. They hold no rules.

A door checks what a stranger brings, turns it into the rules' values, calls one use case and answers. Doors
(:mod:`bot.intake`, :mod:`bot.slack`, :mod:`bot.cluster`, :mod:`bot.cli`) do not import each other; :mod:`bot.wiring` puts
them together. They stand on :mod:`bot.runtime`, :mod:`bot.health`, :mod:`bot.outbox` and
:mod:`bot.observe`.
"""
