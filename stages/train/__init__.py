"""The stage `train`: weights and learning curves of a cell, here or on a cluster."""
