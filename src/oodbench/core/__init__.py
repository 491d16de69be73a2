"""What every part stands on: errors, files, caches, the schema of the config; knows no other part."""
