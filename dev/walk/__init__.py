"""The whole story in a browser: connect a store, sell something, see the order paid."""
