"""The stages `download-weights` and `evaluate-weights`: weights that a document's authors published."""
