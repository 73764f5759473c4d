"""The store: tables, their mapping to the rules' values, and the unit of work that reads and writes them."""
