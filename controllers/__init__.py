from . import main
from . import onboarding
from . import post_processing
