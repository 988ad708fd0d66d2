"""Fabrics."""

from .connection import RTSLibError, connection
from .node import Node, chap

_features = {
    "iscsi": ("discovery_auth", "acls", "auth", "nps", "tpgts"),
    "loopback": ("nexus",),
    "vhost": ("nexus", "acls", "tpgts"),
}
_wwn_types = {"iscsi": ("iqn", "naa", "eui"), "loopback": ("naa",), "vhost": ("naa",)}


class FabricModule(Node):
    """A fabric by its name."""

    def __init__(self, name):
        if name not in _features:
            raise RTSLibError("No such fabric: %s" % name, "Fabrics: %s" % ", ".join(_features))
        self.name = name
        self.path = "/%s" % name
        self.features = _features[name]
        self.wwn_types = _wwn_types[name]

    @classmethod
    def all(cls):
        """Every fabric."""
        return (cls(name) for name in _features)

    @classmethod
    def list_registered_drivers(cls):
        """Their names."""
        return list(_features)

    def has_feature(self, feature):
        """Whether its targets have it."""
        return feature in self.features

    @property
    def targets(self):
        """Its targets."""
        from .target import Target

        return (Target(self, saved["wwn"], "lookup") for saved in self._read()["targets"])

    @property
    def version(self):
        """Of the tcli that serves it."""
        return connection.ask("status")["status"]["version"]

    @property
    def discovery_enable_auth(self):
        """Whether discovery asks for CHAP."""
        return bool(self._read()["discovery_enable_auth"])

    @discovery_enable_auth.setter
    def discovery_enable_auth(self, enable):
        self._set("discovery_auth", "enable", bool(int(enable)))

    discovery_userid = chap("userid", "discovery_", "discovery_auth")
    discovery_password = chap("password", "discovery_", "discovery_auth")
    discovery_mutual_userid = chap("mutual_userid", "discovery_", "discovery_auth")
    discovery_mutual_password = chap("mutual_password", "discovery_", "discovery_auth")

    def clear_discovery_auth_settings(self):
        """Discovery asks for nothing."""
        for name in ("userid", "password", "mutual_userid", "mutual_password"):
            self._set("discovery_auth", name, "")
        self.discovery_enable_auth = False
