"""What the service stands on, as values: its parts and whether each stands, and where changes may start."""
