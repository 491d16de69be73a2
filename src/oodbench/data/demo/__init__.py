"""Small stand-ins for all data sets, made from a handful of pictures."""
