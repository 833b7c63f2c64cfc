"""The architectures: one file per paper, and the registry that builds them by name."""
