"""A linearizability check of the store under faults: docs/linearizability.md tells how it works."""
