from . import provider
from . import addresses
from . import availability
from . import client
from . import connection
from . import health
from . import sync
from . import webhook
