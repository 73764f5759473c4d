"""The audit trail as it is kept: the book that reads it and the sealer that chains it."""
