"""One shift for all times: how far the clock of a replay is from the recording's."""
from statistics import median

#: seconds by which a time of the replay may be early or late beside the shift: times of the wire
#: are whole seconds, the real server is told of a payment after a while, and its seconds' start
#: is only known from the times it gave
EARLY, LATE = 2, 1


def origin(recording):
    """:return: unix time at which the recorder's ``t`` was 0 (or up to a second before), 0 for a
        recording without times
    """
    known = []
    for record in recording['records']:
        if record['kind'] == 'webhook':
            known.append(record['body']['timestamp'] - record['t'])
        elif record['kind'] == 'api' and record['method'] == 'POST':
            answer = record['response']
            if isinstance(answer, dict) and 'createdTime' in answer:
                known.append(answer['createdTime'] - record['t'])
    return median(known) if known else 0


class Shift:
    """:ivar float seconds: from the recording's clock to the replay's
    :ivar float lag: how far the replay got behind the recording at most, in seconds
    """

    def __init__(self):
        self.seconds = 0
        self.lag = 0

    def differs(self, recorded, actual, less=()):
        """Whether a time of the replay is not the recording's, shifted.

        :param less: seconds by which it may be less as well, where a wait was not waited out
        """
        off = actual - recorded - self.seconds
        return not any(-EARLY <= off + early <= LATE + self.lag for early in (0, *less))
