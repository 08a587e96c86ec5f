from . import main
from . import onboarding
from . import portal
from . import post_processing
