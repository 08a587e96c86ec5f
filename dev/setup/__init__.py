"""Brings everything the demo and the tests need, below .dev/ and the user's cache folder."""
