"""The commands beside `oodbench`, one file each: arguments in, exit code out."""
