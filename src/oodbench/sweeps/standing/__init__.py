"""How far a sweep is, read from its files alone, whatever launched its jobs and wherever."""
