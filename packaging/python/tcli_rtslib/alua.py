"""Target port groups (ALUA) of a storage object."""

from .connection import RTSLibALUANotSupported, RTSLibError, RTSLibNotInCFS, connection
from .node import Node


class ALUATargetPortGroup(Node):
    """A target port group by its name: made where a tag is given, looked for without."""

    def __init__(self, storage_object, name, tag=None):
        if not storage_object.alua_supported:
            raise RTSLibALUANotSupported("Backend does not support ALUA setup")
        self.storage_object = storage_object
        self.name = name
        self._place = "%s/alua" % storage_object.path
        self.path = "%s/%s" % (self._place, name)
        if tag is not None:
            connection.apply(self._place, "create", name=name, tag=int(tag))
        elif not self.exists:
            raise RTSLibNotInCFS("No such ALUATargetPortGroup: %s" % self.path)

    def _read(self):
        for saved in self.storage_object._own("alua_tpgs") or []:
            if saved["name"] == self.name:
                return saved
        raise RTSLibNotInCFS("No such ALUATargetPortGroup: %s" % self.path)

    def delete(self):
        """Removes it; its LUNs go back to the default group."""
        if self.name == "default_tg_pt_gp":
            raise RTSLibError("Can not delete default_tg_pt_gp")
        connection.apply(self._place, "delete", name=self.name)

    @property
    def tg_pt_gp_id(self):
        """Its tag."""
        return self._read()["tg_pt_gp_id"]


def _setting(name, doc):
    def get(self):
        return int(self._read()[name])

    def set_(self, value):
        self._set("alua", name, int(value))

    return property(get, set_, doc=doc)


#: The settings that rtslib has, each of which is a number.
for _name, _doc in (
    ("alua_access_state", "0: optimized, 1: non-optimized, 2: standby, 3: unavailable, 14: offline."),
    ("alua_access_status", "What has changed the state last."),
    ("alua_access_type", "Who may change it: 1 this side, 2 initiators, 3 both."),
    ("alua_support_active_nonoptimized", "Whether it has that state."),
    ("alua_support_active_optimized", "Whether it has that state."),
    ("alua_support_offline", "Whether it has that state."),
    ("alua_support_standby", "Whether it has that state."),
    ("alua_support_transitioning", "Whether it has that state."),
    ("alua_support_unavailable", "Whether it has that state."),
    ("alua_write_metadata", "Kept for LIO: states outlive a restart in any case."),
    ("implicit_trans_secs", "Seconds that a change may take."),
    ("nonop_delay_msecs", "Milliseconds that commands of a path that is not optimized wait."),
    ("preferred", "Whether initiators are told to prefer it."),
    ("trans_delay_msecs", "Milliseconds that a change takes."),
):
    setattr(ALUATargetPortGroup, _name, _setting(_name, _doc))
