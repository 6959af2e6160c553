"""A small internet of our own: origins with a certificate authority that only the gate trusts, and a sandbox's side."""
