"""Places: where an agent asks for something. A pause covers places, and a token is good for some."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an action would happen, and by whom."""

    agent: str
    environment: str
    namespace: str
