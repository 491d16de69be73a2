"""What code of the user a config names, and what it holds: found without importing it."""
