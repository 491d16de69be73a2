"""Networks that compare a picture with the names of the classes, put into sentences."""
