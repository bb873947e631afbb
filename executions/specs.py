"""Spec text to model nouns; every error with its place."""
