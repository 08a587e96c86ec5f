"""Signed webhooks (skeleton, being written)."""


class Dispatcher:
    def __init__(self, server):
        self.server = server

    def forget(self):
        """Lose what waits, as a restart does."""
