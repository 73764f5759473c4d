"""The development cluster: its recipe, its cache, its life, and what it can do once it runs."""
