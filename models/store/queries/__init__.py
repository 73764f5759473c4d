"""Statements: every question that the store answers, prepared once, by subject. Which index each takes is tested."""
