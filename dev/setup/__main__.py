"""make setup: everything that the demo and the tests need; what is there is left as it is."""
from concurrent.futures import ThreadPoolExecutor

from . import node, odoo, programs, python, system
from .console import step


def _packages():
    if not python.ready():
        with step('Python packages'):
            python.install()


def _programs():
    with step('Odoo 19'):
        if not odoo.ready():
            odoo.install()
    if not programs.ready():
        with step('Chromium and wkhtmltopdf'):
            programs.install()


def main():
    own = bool(odoo.own_source())
    with step('What the system brings'):
        system.check(own)
    with ThreadPoolExecutor() as pool:  # Beside each other: either takes half a minute
        for part in [pool.submit(_packages), pool.submit(_programs)]:
            part.result()
    if not node.driver_ready():
        node.link_driver()


if __name__ == '__main__':
    main()
