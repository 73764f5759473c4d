"""The audit trail: its events, and the chain that makes tampering evident."""
