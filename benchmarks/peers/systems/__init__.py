"""One file per system. What is here runs in that system's own environment."""
