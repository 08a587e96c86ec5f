"""Runs PostgreSQL and Odoo for the demo, the tests and whoever works on the module."""
