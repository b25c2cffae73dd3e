"""Hands the records of Python loggers on to the ROS log: to the console, /rosout and the log file."""

from __future__ import annotations

import logging
from typing import Any

_LOGGERS = ("cs3_model", "cs3_ros")


class LogForwarder(logging.Handler):
    """Gives each record of this project's loggers to a ROS logger, at the record's level, until closed.

    Args:
        ros_logger: Logger of a node; its level decides what is shown.
    """

    def __init__(self, ros_logger: Any) -> None:
        super().__init__()
        self._ros_logger = ros_logger
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)
            logging.getLogger(name).setLevel(logging.DEBUG)

    def close(self) -> None:
        """Stops forwarding."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Logs one record, with its traceback if it has one."""
        text = self.format(record)
        # A line of its own per level: rclpy refuses a call site that changes its level.
        if record.levelno >= logging.ERROR:
            self._ros_logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._ros_logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._ros_logger.info(text)
        else:
            self._ros_logger.debug(text)
