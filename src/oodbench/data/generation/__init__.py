"""Data sets that are made from the validation pictures: ImageNet-C and ImageNet-P."""
