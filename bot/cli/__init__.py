"""The operator's door: the console command `countersign` and its subcommands. It may deny and pause, never approve."""
