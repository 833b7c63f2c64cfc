"""The pipeline's stages, one module each, and the few modules they share."""
