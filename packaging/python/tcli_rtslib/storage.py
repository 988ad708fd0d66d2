"""Storage objects, a class for each kind."""

from .alua import ALUATargetPortGroup
from .connection import RTSLibError, RTSLibNotInCFS, connection
from .node import Node


class StorageObject(Node):
    """A volume with an identity."""

    plugin = ""
    #: The kind of backstore in the tree.
    _kind = ""

    def __init__(self, name, mode, **params):
        if "/" in name or " " in name or name == "":
            raise RTSLibError("A storage object's name cannot contain  /, newline or spaces/tabs")
        self.name = name
        self.path = "/backstores/%s/%s" % (self._kind, name)
        self._enter(mode, lambda: connection.apply("/backstores/%s" % self._kind, "create", name=name, **params))

    def _own(self, key, default=None):
        return self._read().get(key, default)

    @property
    def wwn(self):
        """Its unit serial number."""
        return self._own("wwn")

    @property
    def size(self):
        """Bytes; None where its medium alone knows."""
        return self._own("size")

    @property
    def udev_path(self):
        """Its file or device."""
        return self._own("dev", "")

    @property
    def write_back(self):
        """Whether its write cache is on."""
        return self.get_attribute("emulate_write_cache") == "1"

    @property
    def attached_luns(self):
        """LUNs that export it."""
        from .root import RTSRoot

        return (lun for lun in RTSRoot().luns if lun.storage_object == self)

    @property
    def status(self):
        """rtslib's word for whether a LUN exports it."""
        return "activated" if any(True for _ in self.attached_luns) else "deactivated"

    @property
    def is_configured(self):
        """Whether it has its medium: one that is there does, or says in `tcli daemon status` why not."""
        return self.exists

    @property
    def alua_tpgs(self):
        """Its target port groups."""
        return (ALUATargetPortGroup(self, saved["name"]) for saved in self._own("alua_tpgs") or [])

    @property
    def alua_supported(self):
        """Whether it has target port groups."""
        return bool(self._own("alua_tpgs"))

    def delete(self, save=None):
        """Removes it with its LUNs; the file or device stays."""
        connection.apply("/backstores/%s" % self._kind, "delete", name=self.name)


def _mode(*given):
    """With what it is made of, it is made; without, looked for."""
    return "create" if any(value is not None for value in given) else "lookup"


class FileIOStorageObject(StorageObject):
    """A file."""

    plugin = _kind = "fileio"

    def __init__(self, name, dev=None, size=None, wwn=None, write_back=True, aio=False, index=None):
        super().__init__(name, _mode(dev), file_or_dev=dev, size=size, wwn=wwn, write_back=bool(write_back))


class BlockStorageObject(StorageObject):
    """A block device."""

    plugin = _kind = "block"

    def __init__(self, name, dev=None, wwn=None, readonly=False, write_back=None, index=None, exclusive=True):
        # What is not said is as the device itself is.
        super().__init__(name, _mode(dev), dev=dev, wwn=wwn, readonly=True if readonly else None)

    @property
    def readonly(self):
        """Whether it takes no writes."""
        return bool(self._own("readonly"))


class PSCSIStorageObject(StorageObject):
    """A SCSI device that answers initiators itself."""

    plugin = _kind = "pscsi"

    def __init__(self, name, dev=None, index=None):
        super().__init__(name, _mode(dev), dev=None if dev is None else str(dev))


class RDMCPStorageObject(StorageObject):
    """Memory."""

    plugin = _kind = "ramdisk"

    def __init__(self, name, size=None, wwn=None, nullio=False, index=None):
        super().__init__(name, _mode(size), size=size, wwn=wwn, nullio=bool(nullio))

    @property
    def nullio(self):
        """Whether it keeps nothing."""
        return bool(self._own("nullio"))


class UserBackedStorageObject(StorageObject):
    """What a program outside serves: `config` is KIND/STRING, as in the saved file."""

    plugin = "user"
    _kinds = ("user:nbd", "user:qcow", "user:rbd")

    def __init__(self, name, config=None, size=None, wwn=None, hw_max_sectors=None, control=None, index=None):
        if config is None:
            self._kind = next((kind for kind in self._kinds if _is_there(kind, name)), None)
            if self._kind is None:
                raise RTSLibNotInCFS("No such UserBackedStorageObject: %s" % name)
            super().__init__(name, "lookup")
            return
        handler, _, cfgstring = config.partition("/")
        self._kind = "user:%s" % handler
        if self._kind not in self._kinds:
            raise RTSLibError("There is no handler %s" % handler, "Handlers: nbd, qcow, rbd")
        given = {"size": size, "cfgstring": cfgstring, "wwn": wwn, "hw_max_sectors": hw_max_sectors, "control": control}
        super().__init__(name, "create", **given)

    @property
    def config(self):
        """KIND/STRING."""
        return self._own("config")


def _is_there(kind, name):
    return any(one["name"] == name for one in connection.read("/backstores/%s" % kind)["storage_objects"])


_classes = (BlockStorageObject, FileIOStorageObject, PSCSIStorageObject, RDMCPStorageObject)


def storage_object_at(path):
    """The object that a path names, with rtslib's plugin or with the kind of the tree."""
    _, _, plugin, name = path.split("/")
    if plugin.startswith("user"):
        return UserBackedStorageObject(name)
    return next(one for one in _classes if one.plugin == plugin)(name)


def all_storage_objects():
    """Every storage object that is there."""
    for one in _classes:
        for saved in connection.read("/backstores/%s" % one._kind)["storage_objects"]:
            yield one(saved["name"])
    for kind in UserBackedStorageObject._kinds:
        for saved in connection.read("/backstores/%s" % kind)["storage_objects"]:
            yield UserBackedStorageObject(saved["name"])


class StorageObjectFactory:
    """What a path of this machine is served as: a file as fileio, a block device as block."""

    def __new__(cls, path):
        import os
        import stat

        name = os.path.basename(path)
        is_block = stat.S_ISBLK(os.stat(path).st_mode)
        return BlockStorageObject(name, path) if is_block else FileIOStorageObject(name, path, os.path.getsize(path))
