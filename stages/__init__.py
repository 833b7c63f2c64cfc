"""The pipeline: a stage is a folder or file of its name, a library a noun (docs/architecture.md is the floor plan)."""
