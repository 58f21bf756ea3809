"""Detectors: pictures to regions."""
