"""The demonstration behind `make demo`: an honest client trades, nine attacks bounce off, the ledger tells."""
