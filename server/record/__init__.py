"""What happened, kept so that it can be proved."""
