"""The agents' and alerts' door: HTTP on :mod:`uvicorn`, routes by FastAPI, strictness by us.

A call goes :mod:`~bot.intake.http.wire` (sockets) -> :mod:`~bot.intake.gate.gate` (credential and size, before anything is
parsed) -> one of the routes (:mod:`~bot.intake.routes`) -> one use case in a worker thread.
Whatever is refused on the way becomes a problem document in one place, the gate. :mod:`bot.wiring.serving` makes the server.
"""
