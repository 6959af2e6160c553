"""What `sandgate bench` measures: a file for what belongs together, and what they share."""
