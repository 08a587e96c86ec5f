"""Chromium, with a window of its own for each person of the story."""
import contextlib
import os
import shutil

from playwright.sync_api import Error, sync_playwright

from ..paths import BIN
from ..setup.console import SetupError

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
TO_DO = ('Run "make setup" once more with a network: it brings Chromium where it can. Or install '
         'it: apt-get install -y chromium')
SIZE = {'width': 1280, 'height': 900}
WAIT = 30_000  # milliseconds for a page or an element


def find_chromium():
    """:return: path of a Chromium: the one that the set-up brought, or the system's
    :raise SetupError: if there is none
    """
    places = os.pathsep.join([str(BIN), os.environ.get('PATH', os.defpath)])
    for name in NAMES:
        found = shutil.which(name, path=places)
        if found:
            return found
    raise SetupError('There is no Chromium, and the walk needs one.', TO_DO)


class Browser:
    """``with Browser(story) as browser:``"""

    def __init__(self, story):
        self.story = story
        self.program = find_chromium()

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            playwright = self.stack.enter_context(sync_playwright())
            self.chromium = playwright.chromium.launch(
                executable_path=self.program, args=['--no-sandbox'])
        except Error as error:
            self.stack.close()
            raise SetupError(f'{self.program} does not start: {error.message[:500]}', TO_DO)
        self.stack.callback(self.chromium.close)
        return self

    def __exit__(self, *_exc):
        self.stack.close()

    def window(self, **options):
        """A window without cookies, as a person who comes for the first time has it.

        :param options: of Playwright's ``new_context``
        :return: its page
        """
        # A real server in regtest has a certificate of its own making
        context = self.chromium.new_context(
            **{'viewport': SIZE, 'locale': 'en-US', 'ignore_https_errors': True, **options})
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on('pageerror', lambda error: self.story.remark(
            f'error in a script of {page.url.partition("?")[0]}: {error.message}'))
        self.story.pages.append(page)
        return page

    @contextlib.contextmanager
    def visit(self):
        """A window for somebody who comes, and leaves at the end of the block at the latest."""
        page = self.window()
        try:
            yield page
        finally:
            page.context.close()
            self.story.pages.remove(page)
