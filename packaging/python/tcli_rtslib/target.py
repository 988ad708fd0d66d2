"""Targets, TPGs, and what stands in them."""

from .connection import RTSLibError, RTSLibNotInCFS, connection
from .node import Node, chap, check_mode, is_mutual


class Target(Node):
    """A target of a fabric. Without a name, one is made up."""

    def __init__(self, fabric_module, wwn=None, mode="any"):
        check_mode(mode)
        self.fabric_module = fabric_module
        if wwn is None and mode == "lookup":
            raise RTSLibError("A target that is looked for has a wwn")
        self._named(wwn or "")
        if wwn is None:
            self._create(None)
        else:
            self._enter(mode, lambda: self._create(wwn))

    def _named(self, wwn):
        self.wwn = wwn.lower()
        self.path = "%s/%s" % (self.fabric_module.path, self.wwn)

    def _create(self, wwn):
        self._named(connection.apply(self.fabric_module.path, "create", wwn=wwn)["wwn"])

    def has_feature(self, feature):
        """Whether its fabric has it."""
        return self.fabric_module.has_feature(feature)

    @property
    def tpgs(self):
        """Its TPGs."""
        if not self.has_feature("tpgts"):
            return iter([TPG(self, 1, "lookup")])
        return (TPG(self, saved["tag"], "lookup") for saved in self._read()["tpgs"])

    def delete(self):
        """Removes it with all that it has."""
        connection.apply(self.fabric_module.path, "delete", wwn=self.wwn)


class TPG(Node):
    """A target portal group. Without a tag, the lowest that is free."""

    def __init__(self, parent_target, tag=None, mode="any"):
        check_mode(mode)
        self.parent_target = parent_target
        if not parent_target.has_feature("tpgts"):
            # It came with its target, and stands where that does.
            self.tag = 1
            self.path = parent_target.path
            return
        if tag is None:
            if mode == "lookup":
                raise RTSLibError("A TPG that is looked for has a tag")
            self._named(connection.apply(parent_target.path, "create")["tag"])
        else:
            self._named(int(tag))
            self._enter(mode, lambda: connection.apply(parent_target.path, "create", tag=int(tag)))

    def _named(self, tag):
        self.tag = tag
        self.path = "%s/tpg%d" % (self.parent_target.path, tag)

    def has_feature(self, feature):
        """Whether its fabric has it."""
        return self.parent_target.has_feature(feature)

    @property
    def enable(self):
        """Whether initiators may log in."""
        return bool(self._read()["enable"])

    @enable.setter
    def enable(self, enabled):
        if bool(int(enabled)) != self.enable:
            connection.apply(self.path, "enable" if int(enabled) else "disable")

    chap_userid = chap("userid")
    chap_password = chap("password")
    chap_mutual_userid = chap("mutual_userid")
    chap_mutual_password = chap("mutual_password")
    authenticate_target = property(is_mutual)

    @property
    def nexus(self):
        """The initiator of a fabric that has one of its own."""
        return self._read().get("nexus_wwn")

    @property
    def luns(self):
        """Its LUNs."""
        return (LUN(self, saved["index"]) for saved in self._read()["luns"])

    @property
    def node_acls(self):
        """Initiators that it admits by name."""
        return (NodeACL(self, saved["node_wwn"], "lookup") for saved in self._read()["node_acls"])

    @property
    def network_portals(self):
        """Where it listens."""
        return (NetworkPortal(self, saved["ip_address"], saved["port"], "lookup") for saved in self._read()["portals"])

    def lun(self, lun, storage_object=None, alias=None):
        """A LUN, made where it is not there and a storage object is given."""
        return LUN(self, lun, storage_object, alias)

    def node_acl(self, node_wwn, mode="any"):
        """An ACL."""
        return NodeACL(self, node_wwn, mode)

    def network_portal(self, ip_address, port, mode="any"):
        """A portal."""
        return NetworkPortal(self, ip_address, port, mode)

    def delete(self):
        """Removes it with all that it has; one that came with its target, with that."""
        if self.has_feature("tpgts"):
            connection.apply(self.parent_target.path, "delete", tag=self.tag)
        else:
            self.parent_target.delete()


class LUN(Node):
    """A storage object under a number. Without a number, the lowest that is free."""

    MAX_TARGET_LUN = 65535

    def __init__(self, parent_tpg, lun=None, storage_object=None, alias=None):
        self.parent_tpg = parent_tpg
        if storage_object is None:
            if alias is not None:
                raise RTSLibError("The alias parameter has no meaning without the storage_object parameter")
            if lun is None:
                raise RTSLibError("A LUN that is looked for has a number")
            self._named(int(lun))
            self._enter("lookup", None)
        else:
            number = None if lun is None else int(lun)
            given = connection.apply("%s/luns" % parent_tpg.path, "create", storage_object=storage_object.path, lun=number)
            self._named(given["lun"])

    def _named(self, number):
        self.lun = number
        self.path = "%s/luns/lun%d" % (self.parent_tpg.path, number)

    @property
    def storage_object(self):
        """What it exports."""
        from .storage import storage_object_at

        return storage_object_at(self._read()["storage_object"])

    @property
    def alias(self):
        """LIO's name for it."""
        return self._read()["alias"]

    @property
    def alua_tg_pt_gp_name(self):
        """Its target port group."""
        return self._read()["alua_tg_pt_gp_name"]

    @alua_tg_pt_gp_name.setter
    def alua_tg_pt_gp_name(self, name):
        self._set("alua", "alua_tg_pt_gp_name", name)

    @property
    def mapped_luns(self):
        """Where initiators see it."""
        if not self.parent_tpg.has_feature("acls"):
            return iter(())
        every = (mapped for acl in self.parent_tpg.node_acls for mapped in acl.mapped_luns)
        return (mapped for mapped in every if mapped.tpg_lun == self)

    def delete(self):
        """Takes it and its mapped LUNs away."""
        connection.apply("%s/luns" % self.parent_tpg.path, "delete", lun=self.lun)


class NetworkPortal(Node):
    """An address and a port that a TPG listens on. IPv6 addresses stand in brackets."""

    def __init__(self, parent_tpg, ip_address, port=3260, mode="any"):
        self.parent_tpg = parent_tpg
        self.ip_address = str(ip_address)
        self.port = int(port)
        self.path = "%s/portals/%s:%d" % (parent_tpg.path, self.ip_address, self.port)
        self._enter(mode, lambda: self._change("create"))

    def _change(self, verb):
        place = "%s/portals" % self.parent_tpg.path
        connection.apply(place, verb, ip_address=self.ip_address, ip_port=self.port)

    @property
    def iser(self):
        """Whether a saved file asks for iSER, which is not served."""
        return bool(self._read()["iser"])

    @iser.setter
    def iser(self, wanted):
        if wanted:
            raise RTSLibError("tcli has no iSER: portals speak TCP")

    @property
    def offload(self):
        """Whether a saved file asks for an offload, which is not served."""
        return bool(self._read()["offload"])

    @offload.setter
    def offload(self, wanted):
        if wanted:
            raise RTSLibError("tcli has no offload: portals speak TCP")

    def delete(self):
        """Stops listening there."""
        self._change("delete")


def all_sessions():
    """The sessions that there are now, as the control protocol has them."""
    return connection.ask("sessions")["sessions"]


class NodeACL(Node):
    """An initiator that a TPG admits by name."""

    def __init__(self, parent_tpg, node_wwn, mode="any"):
        self.parent_tpg = parent_tpg
        self.node_wwn = str(node_wwn).lower()
        self.path = "%s/acls/%s" % (parent_tpg.path, self.node_wwn)
        place = "%s/acls" % parent_tpg.path
        self._enter(mode, lambda: connection.apply(place, "create", wwn=self.node_wwn))

    chap_userid = chap("userid")
    chap_password = chap("password")
    chap_mutual_userid = chap("mutual_userid")
    chap_mutual_password = chap("mutual_password")
    authenticate_target = property(is_mutual)

    def has_feature(self, feature):
        """Whether its fabric has it."""
        return self.parent_tpg.has_feature(feature)

    @property
    def tcq_depth(self):
        """Commands that a session of it may have under way; 0: as the TPG says."""
        return self._read().get("tcq_depth", 0)

    @tcq_depth.setter
    def tcq_depth(self, depth):
        self._set("attribute", "tcq_depth", depth)

    @property
    def tag(self):
        """Its group; None where it has none."""
        return self._read().get("tag") or None

    @tag.setter
    def tag(self, tag):
        connection.apply("%s/acls" % self.parent_tpg.path, "tag", wwn=self.node_wwn, tag=tag or "")

    def sessions(self, among=None):
        """Its sessions: rtslib knows of one, and there may be more. Where the caller has all sessions, among those."""
        tpg = self.parent_tpg
        mine = (tpg.parent_target.fabric_module.name, tpg.parent_target.wwn, tpg.tag, self.node_wwn)
        for one in all_sessions() if among is None else among:
            if (one["fabric"], one["targetWwn"], one["tpgTag"], one["initiatorWwn"]) == mine:
                yield {
                    "parent_nodeacl": self, "id": one["id"], "type": one["type"], "alias": one["initiatorAlias"],
                    "state": one["state"],
                    "connections": [
                        {key: each[ours] for key, ours in (
                            ("cid", "cid"), ("cstate", "state"), ("address", "address"), ("transport", "transport"),
                        )}
                        for each in one["connections"]
                    ],
                }

    @property
    def session(self):
        """Its session as it is now; None where it has none."""
        return next(self.sessions(), None)

    @property
    def mapped_luns(self):
        """LUNs that it sees."""
        return (MappedLUN(self, saved["index"]) for saved in self._read()["mapped_luns"])

    def mapped_lun(self, mapped_lun, tpg_lun=None, write_protect=None):
        """A mapped LUN, made where a LUN is given."""
        return MappedLUN(self, mapped_lun, tpg_lun, write_protect)

    def delete(self):
        """Admits it no longer."""
        connection.apply("%s/acls" % self.parent_tpg.path, "delete", wwn=self.node_wwn)


class MappedLUN(Node):
    """A LUN as one initiator sees it."""

    MAX_LUN = 255

    def __init__(self, parent_nodeacl, mapped_lun, tpg_lun=None, write_protect=None, alias=None):
        self.parent_nodeacl = parent_nodeacl
        self.mapped_lun = int(mapped_lun)
        self.path = "%s/mapped_lun%d" % (parent_nodeacl.path, self.mapped_lun)
        if tpg_lun is None:
            if write_protect is not None:
                raise RTSLibError("The write_protect parameter has no meaning without the tpg_lun parameter")
            if not self.exists:
                raise RTSLibNotInCFS("No such MappedLUN: %s" % self.path)
            return
        number = tpg_lun.lun if isinstance(tpg_lun, LUN) else int(tpg_lun)
        protect = None if write_protect is None else bool(int(write_protect))
        connection.apply(
            parent_nodeacl.path, "create", mapped_lun=self.mapped_lun, tpg_lun=number, write_protect=protect
        )

    @property
    def node_wwn(self):
        """The initiator."""
        return self.parent_nodeacl.node_wwn

    @property
    def tpg_lun(self):
        """The LUN of the TPG."""
        return LUN(self.parent_nodeacl.parent_tpg, self._read()["tpg_lun"])

    @property
    def write_protect(self):
        """Whether it takes no writes. rtslib only reads it; here it is also set, while the LUN is in use."""
        return bool(self._read()["write_protect"])

    @write_protect.setter
    def write_protect(self, protect):
        self._set("attribute", "write_protect", bool(int(protect)))

    @property
    def alias(self):
        """LIO's name for it."""
        return self._read()["alias"]

    def delete(self):
        """Takes it away."""
        connection.apply(self.parent_nodeacl.path, "delete", mapped_lun=self.mapped_lun)
