"""Tests of the package greenfield, without Odoo, against the stand-in."""
