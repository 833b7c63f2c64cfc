"""A paper of one's own, from its table to the files that the pipeline reads."""
