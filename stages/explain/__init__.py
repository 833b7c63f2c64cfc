"""The stage `explain`: saliency maps of a run, and what they are worth."""
