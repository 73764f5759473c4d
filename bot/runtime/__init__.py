"""What makes one process run: service, scheduler, worker, thread pools."""
