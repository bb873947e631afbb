"""Every read; each through visible_to(user)."""
