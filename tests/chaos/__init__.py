"""Fault injection: real processes, real faults, and the attempt log held against the invariants."""
