"""What live pages are told."""
