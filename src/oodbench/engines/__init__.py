"""Engines: how a forward pass is computed."""
