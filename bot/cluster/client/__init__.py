"""How a cluster is asked: connections, accounts, and what its answers mean."""
