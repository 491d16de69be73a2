"""Where finished runs are logged to beside their own files: a table, MLflow, Weights & Biases."""
