"""Reading what training and evaluation left."""
