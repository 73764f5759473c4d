"""The state machines: request and votes, execution, pause, alert. A state changes only as a transition with its events."""
