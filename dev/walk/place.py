"""Where the story is played: the running demo, or one that is started for it and ended after."""
import contextlib
from dataclasses import dataclass
from urllib.parse import urljoin

from ..demo import running_demo
from ..setup.console import SetupError
from ..world import VARIABLES, StandIn, World, from_environment, real_server_named


@dataclass
class Place:
    """:param World world: the server and what happens around it
    :param str url: address of Odoo
    :param str login: the administrator's
    :param str password: the administrator's
    """

    world: World
    url: str
    login: str
    password: str


def _real_world():
    """:return: the world of the real server that the environment names, or None"""
    try:
        return from_environment() if real_server_named() else None
    except RuntimeError as error:
        raise SetupError(str(error), f'Correct {", ".join(VARIABLES)}, or set none of them to '
                                     'play with the stand-in.')


@contextlib.contextmanager
def place():
    """:return: a Place: the demo's Odoo with the demo's stand-in or with a real server"""
    with contextlib.ExitStack() as stack:
        world = _real_world()
        if world:
            stack.enter_context(world)
        demo = stack.enter_context(running_demo())
        if not world:
            world = stack.enter_context(StandIn(demo.btcpay, *demo.merchant))
        yield Place(world, urljoin(demo.shop, '/').rstrip('/'), *demo.admin)
