"""The stage `evaluate`: test metrics of a cell, from its weights."""
