"""The kill campaign: real processes, killed again and again, against a ledger of what ran."""
