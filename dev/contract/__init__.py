"""Contract tests: what a BTCPay Server does, held against the stand-in or a real one."""
