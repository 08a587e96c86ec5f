"""Contract tests: the stand-in against what was recorded on a real BTCPay Server."""
