"""The agents' and alerts' door: HTTP on :mod:`uvicorn`, routes by FastAPI, strictness by us.

A call goes :mod:`~bot.intake.wire` (sockets) -> :mod:`~bot.intake.gate` (credential and size, before anything is parsed) -> a
route (:mod:`~bot.intake.escalations`, :mod:`~bot.intake.alerts`, :mod:`~bot.intake.health`) -> one use case in a worker thread.
Whatever is refused on the way becomes a problem document in one place, the gate. :mod:`bot.app` makes the server.
"""
