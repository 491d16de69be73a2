"""The copies of networks that compute: the same function in fewer operations."""
