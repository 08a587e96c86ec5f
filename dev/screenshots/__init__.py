"""make screenshots: the pictures of README.rst and of the app store, from the demo."""
