"""Taking over the results of another team."""
