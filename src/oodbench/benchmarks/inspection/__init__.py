"""Whether a data set on disk is what its benchmark takes it for."""
