"""How members of archives become files of a data set's folder, one way a file."""
