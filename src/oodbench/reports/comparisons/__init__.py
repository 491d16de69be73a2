"""Two sets of finished runs compared picture by picture."""
