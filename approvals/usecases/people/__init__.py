"""How people answer, and how silence, a withdrawal or a revoked token ends a question."""
