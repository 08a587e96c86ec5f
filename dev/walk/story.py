"""Steps of the story: told as they pass, and with a picture of what went wrong at the first that
does not."""
import contextlib
import re
import time

from ..setup.console import SetupError, say
from ..world import NotPossible

STILL = 500  # milliseconds before a picture, for what fades in


class StepFailed(Exception):
    """A step that failed; it has been told already."""


def told(play, ending):
    """Play something, and tell why it ended if it did.

    :param str ending: what is said where a step failed
    :return: the exit code
    """
    try:
        play()
    except StepFailed:
        say(f'\n✗ {ending}')
        return 1
    except SetupError as error:
        say(f'\n✗ {error.why}\n  To do: {error.todo}')
        return 1
    return 0


class Story:
    """Tells the steps.

    :param Path folder: where pictures go
    :ivar list pages: the browser's pages that a failure is to show
    :ivar list remarks: what is to be told in the end, though nothing failed
    """

    def __init__(self, folder):
        self.folder = folder
        self.pages = []
        self.remarks = []
        self.passed = 0
        self.skipped = []
        self.pictures = 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob('*.png'):
            old.unlink()

    def chapter(self, title):
        say(f'\n{title}')

    @contextlib.contextmanager
    def step(self, title):
        """One step; what is appended to the list it gives is told with it.

        :raise NotPossible: where the world cannot do it: the rest of the chapter is skipped
        :raise StepFailed: if it fails
        """
        started = time.monotonic()
        told = []
        try:
            yield told
        except NotPossible as reason:
            self.skipped.append((title, str(reason)))
            say(f'- skipped: {title}\n    {reason}')
            raise
        except KeyboardInterrupt:
            raise
        except Exception as error:
            self._tell_failure(title, error)
            raise StepFailed(title) from error
        self.passed += 1
        details = ''.join(f' · {part}' for part in told)
        say(f'✓ {title}{details} ({time.monotonic() - started:.1f} s)')

    def picture(self, page, name, full=False):
        """Save a picture of a page.

        :param str name: without number and suffix
        :param bool full: whether what is below the window is on it too
        :return: its path
        """
        self.pictures += 1
        path = self.folder / f'{self.pictures:02}-{name}.png'
        page.wait_for_load_state()
        page.wait_for_timeout(STILL)
        page.screenshot(path=path, full_page=full)
        return path

    def remark(self, text):
        if text not in self.remarks:
            self.remarks.append(text)

    def _tell_failure(self, title, error):
        why = re.sub(r'\x1b\[[0-9;]*m', '', str(error)).strip() or type(error).__name__
        say(f'✗ {title}\n  Why: ' + why.replace('\n', '\n       '))
        for page in self.pages:
            if page.is_closed():
                continue
            say(f'  Page: {page.url}')
            with contextlib.suppress(Exception):  # the failure itself is what matters
                say(f'  Screenshot: {self.picture(page, "failed", full=True)}')
        for remark in self.remarks:
            say(f'  Before: {remark}')
