"""What this machine has, what works on it, and how to mend what does not."""
