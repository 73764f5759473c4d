"""The wiring: the one place where the product is put together. Values and settings in, parts out; it holds no rules.

Read :mod:`~bot.wiring.use_cases` (every use case over the ports; tests, benchmarks and demo use the same), then
:mod:`~bot.wiring.parts` (which concrete class each part is), :mod:`~bot.wiring.leading` (what the leader alone does, bound to
its lease), :mod:`~bot.wiring.serving` (what ``serve`` runs), and :mod:`~bot.wiring.product` (what the command line begins with).
A process has one set of use cases, one set of metrics, one directory. Nothing below imports this room.
"""
