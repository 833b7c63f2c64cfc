"""Training and measuring a network in memory; it knows no files of the pipeline."""
