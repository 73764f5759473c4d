"""What is to be done: the action that an agent wants, the plan that binds it, the difference that people review."""
