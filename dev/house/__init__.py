"""Tests of the repository itself: what is packed, how files are written, what documents say."""
