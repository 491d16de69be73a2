"""A sweep as a job array of SLURM, which nobody has to wait for."""
