"""How well a sound fits what it is for: measures, the files that they are taken from, and their reports."""
