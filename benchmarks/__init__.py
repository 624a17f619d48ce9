"""Figures: how fast the parts and the whole are. Never run by the tests."""
