"""rtslib's classes over a running tcli: scripts that configure LIO configure tcli, with another import and nothing else."""

from . import root, utils
from .alua import ALUATargetPortGroup
from .connection import RTSLibALUANotSupported, RTSLibBrokenLink, RTSLibError, RTSLibNotInCFS
from .fabric import FabricModule
from .root import RTSRoot
from .storage import (
    BlockStorageObject,
    FileIOStorageObject,
    PSCSIStorageObject,
    RDMCPStorageObject,
    StorageObjectFactory,
    UserBackedStorageObject,
)
from .target import LUN, TPG, MappedLUN, NetworkPortal, NodeACL, Target

__all__ = [
    "LUN", "TPG", "ALUATargetPortGroup", "BlockStorageObject", "FabricModule", "FileIOStorageObject", "MappedLUN",
    "NetworkPortal", "NodeACL", "PSCSIStorageObject", "RDMCPStorageObject", "RTSLibALUANotSupported", "RTSLibBrokenLink",
    "RTSLibError", "RTSLibNotInCFS", "RTSRoot",
    "StorageObjectFactory", "Target", "UserBackedStorageObject", "root", "utils",
]
