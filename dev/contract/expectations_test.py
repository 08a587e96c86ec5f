"""Every row of the table is played; what cannot be done in this world skips by name."""
import pytest

from .expectations import STORIES
from .story import Play


@pytest.mark.parametrize('story', STORIES, ids=lambda story: story.id)
def test_expectation(world, story):
    play_story(world, story)


def test_titles_are_unique():
    assert len({story.id for story in STORIES}) == len(STORIES)


def play_story(world, story):
    play = Play(world, story)
    try:
        play.play()
    finally:
        play.close()
