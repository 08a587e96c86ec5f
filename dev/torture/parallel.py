"""Things that happen at once."""
import threading
from concurrent.futures import ThreadPoolExecutor


def at_once(actions):
    """Begin all of them at the same moment, each in a thread of its own.

    :param actions: callables
    :return: what they returned, or raised, in their order
    """
    barrier = threading.Barrier(len(actions))

    def run(action):
        barrier.wait(timeout=30)
        try:
            return action()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))
