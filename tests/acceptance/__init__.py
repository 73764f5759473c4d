"""The whole product through its doors: real processes, a real cluster, a browser, and the command line. No inside is touched."""
