"""make test: every check there is, and one summary."""
