"""What faces clients and people."""
