"""Many runs: the jobs of a command line, what they will take, how they ended."""
