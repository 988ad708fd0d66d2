"""rtslib's errors, and what it knows of names."""

import os
import re
import socket
import uuid

from .connection import RTSLibALUANotSupported, RTSLibBrokenLink, RTSLibError, RTSLibNotInCFS

__all__ = [
    "RTSLibALUANotSupported", "RTSLibBrokenLink", "RTSLibError", "RTSLibNotInCFS", "generate_wwn", "normalize_wwn",
]

_forms = {
    "iqn": r"iqn\.[0-9]{4}-[0-1][0-9]\.[^ _]*\.[^ _]*",
    "naa": r"naa\.[125][0-9a-f]{15}",
    "eui": r"eui\.[0-9a-f]{16}",
    "unit_serial": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "free": r".*",
}


def generate_wwn(wwn_type):
    """A name that nobody has, of the type `iqn`, `naa`, `eui`, `unit_serial` or `free`."""
    kind = wwn_type.lower()
    if kind in ("free", "unit_serial"):
        return str(uuid.uuid4())
    if kind == "iqn":
        machine = [part.replace("_", "") for part in (socket.gethostname().split(".")[0], os.uname()[4])]
        return ("iqn.2003-01.org.linux-iscsi.%s.%s:sn.%s" % (machine[0], machine[1], uuid.uuid4().hex[20:])).lower()
    # The company number that LIO uses.
    if kind == "naa":
        return "naa.5001405" + uuid.uuid4().hex[-9:]
    if kind == "eui":
        return "eui.001405" + uuid.uuid4().hex[-10:]
    raise ValueError("Unknown WWN type: %s" % wwn_type)


def normalize_wwn(wwn_types, wwn):
    """The name as it is usually written, and the first of the types that it is one of."""
    for wwn_type in wwn_types:
        clean = str(wwn).strip().lower()
        if wwn_type in ("naa", "eui"):
            clean = re.sub("^0x|[-:]", "", clean)
            if not clean.startswith(("naa.", "eui.")):
                clean = "%s.%s" % (wwn_type, clean)
        if re.fullmatch(_forms[wwn_type], clean):
            return clean, wwn_type
    raise RTSLibError("WWN not valid as: %s" % ", ".join(wwn_types))
