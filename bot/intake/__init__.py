"""The agents' and alerts' door: HTTP in, one use case, a JSON answer or a problem document out."""
