"""Training of the mini bundle: one command a network."""
