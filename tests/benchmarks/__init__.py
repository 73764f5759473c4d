"""The benchmarks run; nothing is timed here."""
