"""Tables and images to splits: columns, patient splits, leakage, duplicates, summaries."""
