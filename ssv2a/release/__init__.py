"""Released weights: what there is, where it lies, and how it comes into a bundle."""
