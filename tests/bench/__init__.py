"""Tests of the measurements: readers and tables."""
