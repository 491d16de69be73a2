"""Finished runs compared with what others measured."""
