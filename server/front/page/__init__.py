"""What people look at: a few pages, rendered here, with nothing fetched from elsewhere."""
