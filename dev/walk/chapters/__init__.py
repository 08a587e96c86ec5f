"""The chapters of the story, in order.

A chapter is a module with a ``TITLE`` and ``play(stage)``, which does its steps with
``with stage.step('…'):``. One that needs something the world cannot do ends with its NotPossible.
With ``is_wanted(stage)`` it can be left out.
"""
from . import (
    again, buttons, buy, connect, demo_page, disconnect, lightning, phone, refund, refusal, unpaid,
)

CHAPTERS = (
    connect, buy, phone, unpaid, lightning, refund, buttons, refusal, disconnect,
    demo_page, again,
)
