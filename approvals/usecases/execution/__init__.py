"""How an approved change is carried out, at most once."""
