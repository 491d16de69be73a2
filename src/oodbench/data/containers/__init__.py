"""Pictures in other containers than folders, read as if they were unpacked.

A container is a zip file, a tar file, a folder of tar shards, an Arrow or Parquet data set of
Hugging Face, or a list of pictures. Below its path lie the folders and files of what it holds:
`val.zip/n01440764/ILSVRC2012_val_00000293.JPEG`. `data.entries`, `data.listing` and
`data.read_files` come here where a path is no real folder or file, so that nothing above them knows
of containers.
"""
