"""What figures show beyond scores: curves, counts and fits as pure functions of numbers."""
