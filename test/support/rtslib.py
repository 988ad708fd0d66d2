"""
Restores a saved configuration with rtslib's own code, and prints what it says and dumps afterwards, as JSON:

    /usr/bin/python3 rtslib.py FOLDER SAVECONFIG.JSON

rtslib speaks to the kernel by a file system. Here that is FOLDER, with what the kernel does there: a directory that is made
has its attributes and default groups, nothing else can be made in it, and what is written reads as the kernel prints it.
Devices are what they are called: there is no kernel to open them.
"""

import errno
import io
import json
import os
import re
import shutil
import sys

from rtslib_fb import node, root, tcm, utils

folder, saved = sys.argv[1:]
top = os.path.realpath(folder) + "/target"

AUTH = dict.fromkeys(("userid", "password", "userid_mutual", "password_mutual"), "") | {"authenticate_target": "0"}
NUMBERS_OF_DISK = {
    "alua_support": 1, "block_size": 512, "emulate_3pc": 1, "emulate_caw": 1, "emulate_dpo": 1, "emulate_fua_read": 1,
    "emulate_fua_write": 1, "emulate_model_alias": 1, "emulate_pr": 1, "emulate_rest_reord": 0, "emulate_tas": 1,
    "emulate_tpu": 0, "emulate_tpws": 0, "emulate_ua_intlck_ctrl": 0, "emulate_write_cache": 0, "enforce_pr_isids": 1,
    "force_pr_aptpl": 0, "is_nonrot": 0, "max_unmap_block_desc_count": 1, "max_unmap_lba_count": 8192,
    "max_write_same_len": 4096, "optimal_sectors": 16384, "pgr_support": 1, "pi_prot_format": 0, "pi_prot_type": 0,
    "pi_prot_verify": 0, "queue_depth": 128, "unmap_granularity": 1, "unmap_granularity_alignment": 0,
    "unmap_zeroes_data": 0,
}
ATTRIBUTES = {
    "pscsi": {"alua_support": 0, "emulate_pr": 1, "pgr_support": 0},
    "user": {
        "alua_support": 0, "cmd_time_out": 30, "emulate_pr": 1, "emulate_write_cache": 0, "nl_reply_supported": 1,
        "pgr_support": 0, "qfull_time_out": -1,
    },
}
# Attributes that the kernel lets nobody write.
READ_ONLY = ("hw_block_size", "hw_max_sectors", "hw_queue_depth", "hw_pi_prot_type", "info", "members")
HARDWARE = {"hw_block_size": 512, "hw_max_sectors": 16384, "hw_queue_depth": 128, "hw_pi_prot_type": 0}
ALUA = {
    "alua_access_state": 0, "alua_access_status": "None", "alua_access_type": "Implicit and Explicit",
    "alua_support_active_nonoptimized": 1, "alua_support_active_optimized": 1, "alua_support_lba_dependent": 0,
    "alua_support_offline": 1, "alua_support_standby": 1, "alua_support_transitioning": 1,
    "alua_support_unavailable": 1, "alua_write_metadata": 0, "implicit_trans_secs": 0, "members": "",
    "nonop_delay_msecs": 100, "preferred": 0, "tg_pt_gp_id": 0, "trans_delay_msecs": 0,
}
TPG_ATTRIBUTES = {
    "iscsi": {
        "authentication": 0, "cache_dynamic_acls": 0, "default_cmdsn_depth": 64, "default_erl": 0,
        "demo_mode_discovery": 1, "demo_mode_write_protect": 1, "fabric_prot_type": 0, "generate_node_acls": 0,
        "login_keys_workaround": 1, "login_timeout": 15, "netif_timeout": 2, "prod_mode_write_protect": 0, "t10_pi": 0,
        "tpg_enabled_sendtargets": 1,
    },
}
PARAMETERS = {
    "AuthMethod": "CHAP,None", "DataDigest": "CRC32C,None", "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes",
    "DefaultTime2Retain": "20", "DefaultTime2Wait": "2", "ErrorRecoveryLevel": "0", "FirstBurstLength": "65536",
    "HeaderDigest": "CRC32C,None", "IFMarkInt": "Reject", "IFMarker": "No", "ImmediateData": "Yes",
    "InitialR2T": "Yes", "MaxBurstLength": "262144", "MaxConnections": "1", "MaxOutstandingR2T": "1",
    "MaxRecvDataSegmentLength": "8192", "MaxXmitDataSegmentLength": "262144", "OFMarkInt": "Reject", "OFMarker": "No",
    "TargetAlias": "LIO Target",
}
ACL_ATTRIBUTES = {
    "authentication": -1, "dataout_timeout": 3, "dataout_timeout_retries": 5, "default_erl": 0,
    "nopin_response_timeout": 30, "nopin_timeout": 15, "random_datain_pdu_offsets": 0, "random_datain_seq_offsets": 0,
    "random_r2t_offsets": 0,
}


def disk(plugin, _name):
    here = ATTRIBUTES.get(plugin, NUMBERS_OF_DISK) | HARDWARE
    groups = {"default_tg_pt_gp": ALUA} if here["alua_support"] else {}
    files = dict.fromkeys(("control", "udev_path", "alias", "info"), "") | {"enable": "0"}
    return files | {"attrib": here, "alua": groups, "wwn": {"vpd_unit_serial": ""}, "pr": {"res_aptpl_metadata": ""}}


def tpg(fabric, _wwn, _tag):
    here = {"attrib": TPG_ATTRIBUTES.get(fabric, {"fabric_prot_type": 0}), "lun": {}, "acls": {}}
    if fabric != "iscsi":
        return here | {"nexus": ""}
    return here | {"enable": "0", "param": PARAMETERS, "auth": AUTH, "np": {}}


# What a directory has when somebody makes it, by its path. A directory that is not here cannot be made.
KINDS = (
    (r"", lambda: {"dbroot": root.RTSRoot._preferred_dbroot, "core": {}}),
    (r"core/\w+_\d+", lambda: {"hba_info": ""}),
    (r"core/(?:rd_)?(\w+?)_\d+/([^/]+)", disk),
    (r"core/[^/]+/[^/]+/alua/[^/]+", lambda: ALUA),
    (r"iscsi", lambda: {"discovery_auth": AUTH | {"enforce_discovery_auth": "0"}, "lio_version": "4.1"}),
    (r"loopback|vhost", lambda: {"version": "4.1"}),
    (r"(iscsi|loopback|vhost)/([^/]+)", lambda *_: {}),
    (r"(iscsi|loopback|vhost)/([^/]+)/tpgt_(\d+)", tpg),
    (r"[^/]+/[^/]+/tpgt_\d+/lun/lun_\d+", lambda: {"alua_tg_pt_gp": ""}),
    (r"iscsi/[^/]+/tpgt_\d+/np/[^/]+:\d+", lambda: {"iser": "0", "cxgbit": "0"}),
    (r"iscsi/[^/]+/tpgt_\d+/acls/[^/]+",
     lambda: {"attrib": ACL_ATTRIBUTES, "auth": AUTH, "cmdsn_depth": "64", "tag": "", "info": "No active iSCSI Session"}),
    (r"vhost/[^/]+/tpgt_\d+/acls/[^/]+", lambda: {}),
    (r"[^/]+/[^/]+/tpgt_\d+/acls/[^/]+/lun_\d+", lambda: {"write_protect": "0"}),
)

mkdir, symlink = os.mkdir, os.symlink
# What was written to `control`, by the path of the disk.
controls = {}


def refuse(number, path):
    raise OSError(number, os.strerror(number), path)


def fill(path, contents):
    for name, value in contents.items():
        here = path + "/" + name
        if isinstance(value, dict):
            mkdir(here)
            fill(here, value)
        else:
            with open(here, "w") as file:
                file.write(str(value))
            os.chmod(here, 0o444 if name in READ_ONLY else 0o644)


def make(path, *_):
    relative = path[len(top):].strip("/")
    for pattern, contents in KINDS:
        found = re.fullmatch(pattern, relative)
        if found:
            mkdir(path)
            return fill(path, contents(*found.groups()))
    refuse(errno.EPERM, path)


def link(source, path):
    symlink(source, path)
    if "/lun/" in path and os.path.isdir(source + "/alua/default_tg_pt_gp"):
        put(os.path.dirname(path) + "/alua_tg_pt_gp", "TG Port Alias: default_tg_pt_gp")


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


TYPES = ("None", "Implicit", "Explicit", "Implicit and Explicit")
STATUSES = ("None", "Altered by Explicit STPG", "Altered by Implicit ALUA")


def written(path, text):
    """What a file reads once `text` was written to it."""
    directory, name = os.path.split(path)
    if name == "control":
        controls.setdefault(directory, {}).update(part.split("=", 1) for part in text.split(","))
        return text
    if name == "vpd_unit_serial":
        return "T10 VPD Unit Serial Number: " + text
    if name == "alua_access_type":
        return TYPES[int(text)]
    if name == "alua_access_status":
        return STATUSES[int(text)]
    if name == "alua_tg_pt_gp":
        (disk_link,) = (one for one in os.listdir(directory) if os.path.islink(directory + "/" + one))
        if not os.path.isdir(os.path.realpath(directory + "/" + disk_link) + "/alua/" + text):
            refuse(errno.ENODEV, path)
        return "TG Port Alias: " + text
    if name in ("tag", "nexus") and text == "NULL":
        return ""
    if "/attrib/" in path and not re.fullmatch(r"-?\d+", text):
        refuse(errno.EINVAL, path)
    return text


def info(path):
    said = controls.get(os.path.dirname(path), {})
    words = {
        "Status": "ACTIVATED", "SectorSize": 512, "File": said.get("fd_dev_name"),
        "Size": said.get("fd_dev_size", said.get("dev_size")), "Async": said.get("fd_async_io", 0),
        "PAGES/PAGE_SIZE": said.get("rd_pages", "0") + "*4096", "nullio": said.get("rd_nullio", 0),
        "readonly": said.get("readonly", 0), "Config": said.get("dev_config", "NULL"),
        "HwMaxSectors": said.get("hw_max_sectors", 128), "MaxDataAreaMB": said.get("max_data_area_mb", "NULL"),
        "DataPagesPerBlk": said.get("data_pages_per_blk", "NULL"),
    }
    return " ".join("%s: %s" % one for one in words.items())


class Attribute(io.StringIO):
    def __init__(self, path):
        super().__init__()
        self.path = path

    def write(self, text):
        put(self.path, written(self.path, text.strip()))


def open_attribute(path, mode="r"):
    if not path.startswith(top + "/"):
        return open(path, mode)
    if "w" not in mode:
        return io.StringIO(info(path)) if path.endswith("/info") and "/core/" in path else open(path)
    if not os.path.isfile(path):
        refuse(errno.EACCES, path)
    if not os.stat(path).st_mode & 0o200:
        refuse(errno.EACCES, path)
    return Attribute(path)


os.mkdir, os.symlink, os.rmdir = make, link, shutil.rmtree
utils.open = open_attribute
root.mount_configfs = lambda: None
node.CFSNode.configfs_dir = top
tcm.lock_file = folder + "/lock"
tcm.get_blockdev_type = lambda path: 0 if re.fullmatch(r"/dev/[^/]+", path) else None
tcm.is_dev_in_use = lambda path: False
tcm.convert_scsi_path_to_hctl = lambda path: (1, 0, 0, 0)

with open(saved) as file:
    configuration = json.load(file)
rtsroot = root.RTSRoot()
errors = rtsroot.restore(configuration)
print(json.dumps({"errors": errors, "dump": rtsroot.dump()}))
