"""``python -m chaosproxy.lab.gateway``."""

import sys

from chaosproxy.lab.gateway.service import main

sys.exit(main(sys.argv[1:]))
