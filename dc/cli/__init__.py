"""The command line: `python -m dc`, also installed as `dctl`."""
