"""``python -m chaosproxy.lab.availability``."""

import sys

from chaosproxy.lab.availability.service import main

sys.exit(main(sys.argv[1:]))
