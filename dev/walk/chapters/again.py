"""Connected again, so that the demo can be played with."""
from . import connect

TITLE = 'The administrator connects it again'


def is_wanted(stage):
    """What the walk has made on a real server is deleted in the end."""
    return stage.keep_connected and stage.is_stand_in


def play(stage):
    connect.begin_anew(stage)
    connect.connect(stage)
