"""make screenshots: plays at the running demo, or at one of its own, and takes the pictures."""
import sys

from ..odoo.processes import raise_on_sigterm
from ..paths import DOT
from ..walk.browser import Browser
from ..walk.place import place
from ..walk.stage import Stage
from ..walk.story import Story, told
from . import banner, scenes


def take():
    story = Story(DOT / 'screenshots')
    browser = Browser(story)
    with place() as here, browser:
        stage = Stage(story, browser, here.world, here.url, here.login, here.password)
        scenes.play(stage)
        banner.draw(stage)


if __name__ == '__main__':
    raise_on_sigterm()
    sys.exit(told(take, 'The pictures after this were not taken.'))
