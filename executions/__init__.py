"""Task groups run in parallel: the product."""
