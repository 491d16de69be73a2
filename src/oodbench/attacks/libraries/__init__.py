"""What the adapters to attacks of other libraries have in common."""
