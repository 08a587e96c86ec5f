from . import provider
from . import availability
from . import client
from . import connection
from . import write_off
from . import health
from . import sync
from . import webhook
