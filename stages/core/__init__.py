"""What everything stands on: errors, files, tables, paths, progress. It knows nobody."""
