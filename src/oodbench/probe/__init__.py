"""`oodbench-probe`: a linear classifier trained on the frozen features of a network."""
