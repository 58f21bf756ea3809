"""Sounds that can be played: banks of recordings and physical models."""
