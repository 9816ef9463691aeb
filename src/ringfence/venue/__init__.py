"""The paper exchange: a small venue in Binance's shapes, for the demonstration and the tests."""
