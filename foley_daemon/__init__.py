"""foley-daemon: watches hot folders and gives every clip the sound of what is seen in it."""

__version__ = "0.1.0"
