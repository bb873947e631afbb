"""Reports as text in the formats other programs read."""
