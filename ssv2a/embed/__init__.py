"""Encoders: sentences, crops and sounds to vectors."""
