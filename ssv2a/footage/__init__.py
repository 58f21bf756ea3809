"""Clips with their own sound as training data: what is seen and heard in them, and what of it is kept."""
