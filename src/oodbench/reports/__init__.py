"""What finished runs say together."""
