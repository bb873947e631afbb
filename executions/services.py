"""The verbs: all writes that people cause."""
