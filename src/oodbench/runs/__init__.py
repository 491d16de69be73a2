"""One cell of the table: plan, key, chunks, records, scores, result. Imports no torch."""
