"""The format of a split, the facts about the official datasets, and named random streams."""
