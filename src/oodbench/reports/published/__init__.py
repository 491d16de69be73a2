"""Finished runs beside what others measured."""
