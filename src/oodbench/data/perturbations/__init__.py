"""The 14 perturbations of ImageNet-P as generators; `registry.perturbed` runs one by name."""
