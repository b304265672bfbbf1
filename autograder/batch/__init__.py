"""A whole class: a pool of judges, a cluster, the log and the report."""
