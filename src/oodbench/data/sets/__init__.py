"""Data sets as their authors give them out, one YAML file each."""
