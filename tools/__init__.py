"""Small programs of the Makefile: they keep the project, and are no part of the product."""
