"""Tools for developers; the module never imports them."""
