"""What gateways of one cluster tell each other: bans, and who is to be asked about in the store."""
