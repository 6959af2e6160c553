"""Every setting, what it costs, and where it is read from."""
