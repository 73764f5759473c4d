"""The routes: escalations, alerts and health."""
