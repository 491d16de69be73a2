"""What every part stands on: errors, files, caches, the config schema. Knows no other part."""
