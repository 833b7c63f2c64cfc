"""Speed, side by side with plain loops in one run."""
