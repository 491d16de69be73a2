"""What a sweep will take, found without running it."""
