"""The 19 corruptions of ImageNet-C as pure functions; `registry.corrupt` applies one by name."""
