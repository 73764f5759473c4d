"""Who must agree: the policy's values, the ruling on one request, and whether the people it needs exist."""
