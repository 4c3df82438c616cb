"""Who is who: the call that an exchange belongs to."""

from __future__ import annotations

import re

CALL_TAG = re.compile(r"cp-[0-9a-z]{4,12}-\d+")
"""What our load puts into each prompt (``cp-<nonce of the run>-<number of the call>``) and the lab into each answer."""
