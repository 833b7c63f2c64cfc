"""The command `reproduce`: the pipeline with several stages side by side."""
