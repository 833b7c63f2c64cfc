"""The stage `split`: a training and a test set of a downloaded dataset."""
