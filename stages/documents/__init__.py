"""What the documents say: their recipes, exhibits, numbers and logs."""
