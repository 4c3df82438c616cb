"""Logs as the reference writes them: one JSON object per line on stdout, from the level that LOG_LEVEL names."""

from __future__ import annotations

import logging
import sys

import structlog

LEVELS = {
    "": logging.NOTSET,
    "trace": logging.NOTSET,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "disabled": logging.CRITICAL + 10,
}


def log_to_stdout(level: str) -> None:
    """Begin. An unknown level is named in the log and means all."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="time"),
            structlog.processors.EventRenamer("message"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level.lower(), logging.NOTSET)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    if level.lower() not in LEVELS:
        structlog.get_logger().error(f'unknown LOG_LEVEL value: "{level}"')
