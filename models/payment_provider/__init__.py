from . import provider
from . import client
from . import connection
from . import webhook
from . import health
from . import sync
