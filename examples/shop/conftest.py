"""Here so that pytest finds the package without an installation."""
