"""The people's side of the workspace: one web page, guarded by this run's key, and what it is shown."""
