"""The whole tree."""

import json
import os

from .connection import RTSLibError, connection, home_files
from .fabric import FabricModule
from .node import Node
from .storage import all_storage_objects
from .target import all_sessions

#: The file that `tcli` itself saves to, as the environment says when this is imported.
default_save_file = home_files()[0]


class RTSRoot(Node):
    """Everything that a running tcli has."""

    path = "/"

    def __init__(self):
        # Whether it can be reached is told at once, as rtslib tells that configfs is not mounted.
        connection.ask("status")

    @property
    def fabric_modules(self):
        """Every fabric."""
        return FabricModule.all()

    @property
    def targets(self):
        """Every target."""
        return (target for fabric in self.fabric_modules for target in fabric.targets)

    @property
    def tpgs(self):
        """Every TPG."""
        return (tpg for target in self.targets for tpg in target.tpgs)

    @property
    def luns(self):
        """Every LUN."""
        return (lun for tpg in self.tpgs for lun in tpg.luns)

    @property
    def node_acls(self):
        """Every ACL."""
        return (acl for tpg in self.tpgs if tpg.has_feature("acls") for acl in tpg.node_acls)

    @property
    def mapped_luns(self):
        """Every mapped LUN."""
        return (mapped for acl in self.node_acls for mapped in acl.mapped_luns)

    @property
    def network_portals(self):
        """Every portal."""
        return (portal for tpg in self.tpgs if tpg.has_feature("nps") for portal in tpg.network_portals)

    @property
    def storage_objects(self):
        """Every storage object."""
        return all_storage_objects()

    @property
    def alua_tpgs(self):
        """Every target port group."""
        return (group for one in self.storage_objects for group in one.alua_tpgs)

    @property
    def sessions(self):
        """The sessions of initiators that have an ACL, as `NodeACL.session` has one."""
        among = all_sessions()
        return (session for acl in self.node_acls for session in acl.sessions(among))

    def save_to_file(self, save_file=None, so_path=None):
        """Writes the configuration; to the file of tcli itself, with a backup of what was there."""
        if save_file is None or os.path.abspath(save_file) == default_save_file:
            connection.ask("save")
            return
        handle = os.open(save_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(self.dump(), file, sort_keys=True, indent=2)
            file.write("\n")

    def restore(self, config, target=None, storage_object=None, clear_existing=False, abort_on_error=False):
        """Loads a configuration, or a part of it. Returns lines about what could not be."""
        operation = {"configuration": config, "clear_existing": bool(clear_existing)}
        operation.update({key: value for key, value in (("target", target), ("storage_object", storage_object)) if value})
        answer = connection.ask("apply", operation={"path": "/", "verb": "restoreconfig", "params": operation})
        errors = list(answer["notes"])
        if abort_on_error and errors:
            # rtslib stops at the first; here the rest is restored by then.
            raise RTSLibError(errors[0])
        return errors

    def restore_from_file(
        self, restore_file=None, clear_existing=True, target=None, storage_object=None, abort_on_error=False
    ):
        """The same from a file."""
        with open(restore_file or default_save_file, encoding="utf-8") as file:
            config = json.load(file)
        return self.restore(config, target, storage_object, clear_existing, abort_on_error)

    def clear_existing(self, target=None, storage_object=None, confirm=False):
        """Removes everything, or what is named."""
        if not confirm:
            raise RTSLibError("As a precaution, confirm=True needs to be set")
        if target is None and storage_object is None:
            connection.apply("/", "clearconfig")
        for one in list(self.targets):
            if one.wwn == target:
                one.delete()
        for one in list(self.storage_objects):
            if one.name == storage_object:
                one.delete()

    def invalidate_caches(self):
        """Nothing is kept here that could be out of date."""
