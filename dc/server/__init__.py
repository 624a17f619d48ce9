"""The server: keeps tasks, hands them to workers, and shows what happens."""
