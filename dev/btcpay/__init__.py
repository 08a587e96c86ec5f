"""Stand-in BTCPay Server: what a module sees of BTCPay Server 2.4.1, without bitcoind.

``python -m dev.btcpay`` starts it. Its time, chain and faults are steered under ``/_control/``.
"""
