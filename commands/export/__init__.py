"""One archive of a home that others accept: RO-Crate, CODECHECK bundles, LaTeX, checksums."""
