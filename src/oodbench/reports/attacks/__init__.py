"""Whether the attacks of finished runs can be trusted."""
