"""Renew the tables of doc/SECURITY.rst from the source; then say there why what is TODO is safe.

    python -m dev.security
"""
from .table import FILE, OPEN, renew


def main():
    text = renew(FILE.read_text(encoding='utf-8'))
    FILE.write_text(text, encoding='utf-8')
    for line in text.splitlines():
        if f'| {OPEN}' in line:
            print(line.strip())


if __name__ == '__main__':
    main()
