"""python -m dev.walk: the whole story in a browser, at the running demo or at one of its own.

Each step is told as it passes; at the first that fails it ends, with the reason, the address of the
page and a screenshot. With BTCPAY_URL, BTCPAY_EMAIL, BTCPAY_PASSWORD and BITCOIND_URL set, a real
BTCPay Server in regtest is used instead of the stand-in.
"""
import argparse
import os
import sys
import time

from ..odoo.processes import raise_on_sigterm
from ..paths import DOT
from ..setup.console import say
from ..world import NotPossible
from .browser import Browser
from .chapters import CHAPTERS
from .place import place
from .stage import Stage
from .story import Story, told

PICTURES = DOT / 'walk'


def _options():
    parser = argparse.ArgumentParser(
        prog='python -m dev.walk', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--keep-connected', action=argparse.BooleanOptionalAction, default=True,
                        help='connect again in the end (default)')
    return parser.parse_args()


def play(stage):
    for chapter in CHAPTERS:
        if hasattr(chapter, 'is_wanted') and not chapter.is_wanted(stage):
            continue
        stage.story.chapter(chapter.TITLE)
        try:
            chapter.play(stage)
        except NotPossible:
            continue  # told already


def walk(options):
    started = time.monotonic()
    story = Story(PICTURES)
    browser = Browser(story)  # before a demo is started in vain
    with place() as here, browser:
        stage = Stage(story, browser, here.world, here.url, here.login, here.password,
                      keep_connected=options.keep_connected)
        play(stage)
    for remark in story.remarks:
        say(f'Remark: {remark}')
    skipped = ''.join(f'\n  skipped: {title}: {reason}' for title, reason in story.skipped)
    say(f'\n✓ The whole story: {story.passed} steps in {time.monotonic() - started:.0f} s, '
        f'{len(story.skipped)} skipped; pictures in {PICTURES}{skipped}')


def main():
    return told(lambda: walk(_options()), 'The walk ended here.')


if __name__ == '__main__':
    raise_on_sigterm()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os.write(2, b'Interrupted\n')
        sys.exit(130)
