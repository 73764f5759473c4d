"""Verbs that only tests know: they prove what no verb of the product uses yet."""
