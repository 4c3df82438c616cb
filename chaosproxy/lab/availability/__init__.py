"""A model-availability system: a thing to drill on, not a product.

    downloader   models as files: resume, checksum, pause, cancel      manager   which models are available now
    monitor      who of the providers is healthy                       fallback  answers calls: provider, next, own copy
    usage        who was asked for what

``service`` has the routes, ``files`` what others download from it, ``asking`` how a question ends.
"""

from chaosproxy.lab.availability.service import Availability, run_availability

__all__ = ["Availability", "run_availability"]
