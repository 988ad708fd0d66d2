"""What objects of the tree have in common: a path, settings, and nothing that could be out of date."""

from .connection import RTSLibError, RTSLibNotInCFS, connection


def check_mode(mode):
    """rtslib's three ways to an object: `any`, `lookup` and `create`."""
    if mode not in ("any", "lookup", "create"):
        raise RTSLibError("Invalid mode: %s" % mode)


class Node:
    """An object at a path of the tree."""

    #: The groups of settings that it has, by the key of the saved file.
    _groups = {"attribute": "attributes", "parameter": "parameters"}

    path = ""

    def _read(self):
        return connection.read(self.path)

    @property
    def exists(self):
        """Whether it is there."""
        try:
            self._read()
            return True
        except RTSLibNotInCFS:
            return False

    def _enter(self, mode, create):
        """Makes the object, or finds it, as `mode` says."""
        check_mode(mode)
        if mode == "create" or (mode == "any" and not self.exists):
            create()
        elif not self.exists:
            raise RTSLibNotInCFS("No such %s: %s" % (type(self).__name__, self.path))

    def _values(self, group):
        return self._read().get(self._groups[group]) or {}

    def _get(self, group, name):
        values = self._values(group)
        if name not in values:
            raise RTSLibError("Cannot find %s: %s" % (group, name))
        return str(values[name])

    def _set(self, group, name, value):
        text = str(int(value)) if isinstance(value, bool) else str(value)
        connection.apply(self.path, "set", group=group, name=name, value=text)

    def list_attributes(self, writable=None, readable=None):
        """Their names. All that the saved file has can be read and changed."""
        return [] if writable is False or readable is False else sorted(self._values("attribute"))

    def list_parameters(self, writable=None, readable=None):
        """Their names."""
        return [] if writable is False or readable is False else sorted(self._values("parameter"))

    def get_attribute(self, attribute):
        """Its value, as text."""
        return self._get("attribute", attribute)

    def set_attribute(self, attribute, value):
        """Changes it."""
        self._set("attribute", attribute, value)

    def get_parameter(self, parameter):
        """Its value, as text."""
        return self._get("parameter", parameter)

    def set_parameter(self, parameter, value):
        """Changes it."""
        self._set("parameter", parameter, value)

    def dump(self):
        """It and all that stands in it, as the saved file has it."""
        return self._read()

    def __eq__(self, other):
        return isinstance(other, Node) and self.path == other.path

    def __hash__(self):
        return hash(self.path)

    def __repr__(self):
        return "<%s %s>" % (type(self).__name__, self.path)


def chap(name, prefix="chap_", group="auth"):
    """A CHAP word as a property."""

    def get(self):
        return self._read().get(prefix + name, "")

    def set_(self, value):
        connection.apply(self.path, "set", group=group, name=name, value=str(value))

    return property(get, set_)


def is_mutual(self):
    """Whether the target proves itself, too."""
    saved = self._read()
    return bool(saved.get("chap_mutual_userid")) and bool(saved.get("chap_mutual_password"))
