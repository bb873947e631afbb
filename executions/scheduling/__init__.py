"""The brain: pure, given time and randomness, knows no framework."""
