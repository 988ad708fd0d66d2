"""The errors, where rtslib has them."""

from .connection import RTSLibALUANotSupported, RTSLibError, RTSLibNotInCFS

__all__ = ["RTSLibALUANotSupported", "RTSLibError", "RTSLibNotInCFS"]
