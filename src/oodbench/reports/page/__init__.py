"""The report: everything that finished runs say, as one page of HTML that needs nothing else."""
