"""Classifiers: networks, their weights and their normalisation."""
