"""What the names of a run promise, and how the run differs from that."""
