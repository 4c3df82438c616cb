"""The live page on the control port: ``site`` serves it and its stream of views, ``viewing`` makes these, ``chronicle``
remembers what was worth a line, ``catalogue`` describes the form of each fault.

The page's own requests stand under ``/page/``; what it does to the proxy it does over the control API, as everybody.
"""
