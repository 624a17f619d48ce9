"""The same work over dc and its peers, side by side: see __main__.py."""
