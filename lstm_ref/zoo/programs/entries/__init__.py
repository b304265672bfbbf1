"""The entries: a file a family of faults."""
