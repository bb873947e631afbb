"""Kinds of work: payload in, outcome out; no Django, no database, no broker."""
