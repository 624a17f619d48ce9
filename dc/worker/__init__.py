"""The worker: one agent on one computer, with an executor for each slot."""
