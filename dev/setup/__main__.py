"""make setup: everything that the demo and the tests need; what is there is left as it is."""
from . import node, odoo, programs, python, system
from .console import step


def main():
    own = bool(odoo.own_source())
    with step('What the system brings'):
        system.check(own)
    if not python.ready():
        with step('Python packages'):
            python.install()
    with step('Odoo 19'):
        if not odoo.ready():
            odoo.install()
    if not programs.ready():
        with step('Chromium and wkhtmltopdf'):
            programs.install()
    if not node.driver_ready():
        node.link_driver()


if __name__ == '__main__':
    main()
