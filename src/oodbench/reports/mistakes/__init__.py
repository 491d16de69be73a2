"""The pictures that runs get wrong, or that only one of two runs gets right: lists and pictures."""
