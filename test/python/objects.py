"""What rtslib documents of its classes, asked of ours: run by python.test.ts with a tcli that serves."""

import os
import sys

import tcli_rtslib as rtslib
from tcli_rtslib import utils
from tcli_rtslib.connection import connection

folder = sys.argv[1]
root = rtslib.RTSRoot()
assert list(root.targets) == [] and list(root.storage_objects) == []

disk = rtslib.FileIOStorageObject("disk0", os.path.join(folder, "disk0.img"), 1 << 20, write_back=False)
memory = rtslib.RDMCPStorageObject("rd0", 1 << 20, nullio=True)
assert (disk.plugin, disk.size, disk.write_back, disk.status) == ("fileio", 1 << 20, False, "deactivated")
assert memory.nullio and memory.wwn != disk.wwn
assert rtslib.FileIOStorageObject("disk0") == disk, "looked up where nothing says what it is made of"

fabric = rtslib.FabricModule("iscsi")
assert fabric.has_feature("auth") and "iscsi" in rtslib.FabricModule.list_registered_drivers()
target = rtslib.Target(fabric, "iqn.2003-01.org.example:a")
assert rtslib.Target(fabric, "iqn.2003-01.org.example:a") == target, "mode any finds what is there"
try:
    rtslib.Target(fabric, "iqn.2003-01.org.example:a", mode="create")
    raise AssertionError("mode create makes no second one")
except rtslib.RTSLibError as error:
    assert "already exists" in str(error)
try:
    rtslib.Target(fabric, "iqn.2003-01.org.example:b", mode="lookup")
    raise AssertionError("mode lookup makes none")
except rtslib.RTSLibNotInCFS:
    pass

tpg = rtslib.TPG(target, 3)
assert (tpg.tag, tpg.enable) == (3, False)
tpg.enable = True
tpg.enable = 1
assert next(target.tpgs).enable is True, "lists are generators, as rtslib's"
tpg.set_attribute("authentication", True)
assert tpg.get_attribute("authentication") == "1", "values are texts"
tpg.set_parameter("MaxBurstLength", 65536)
assert tpg.get_parameter("MaxBurstLength") == "65536"
assert "generate_node_acls" in tpg.list_attributes()
tpg.chap_userid = "fred"
assert (tpg.chap_userid, tpg.chap_password) == ("fred", "")

lun = rtslib.LUN(tpg, storage_object=disk)
assert (lun.lun, lun.storage_object, disk.status) == (0, disk, "activated")
lun.alua_tg_pt_gp_name = "default_tg_pt_gp"
acl = rtslib.NodeACL(tpg, "iqn.1994-05.com.example:client")
acl.tcq_depth = 32
acl.tag = "cluster"
assert (acl.tcq_depth, acl.tag, acl.chap_userid) == (32, "cluster", "")
mapped = rtslib.MappedLUN(acl, 5, lun, write_protect=True)
assert (mapped.mapped_lun, mapped.tpg_lun, mapped.write_protect) == (5, lun, True)
assert list(lun.mapped_luns) == [mapped] == list(root.mapped_luns)
mapped.write_protect = False
assert not mapped.write_protect
assert acl.session is None and list(root.sessions) == []
rtslib.NodeACL(tpg, "iqn.1994-05.com.example:second")
ask, asked = connection.ask, []
connection.ask = lambda what, **words: asked.append(what) or ask(what, **words)
assert list(root.sessions) == [] and asked.count("sessions") == 1, "however many ACLs there are"
connection.ask = ask
tpg.node_acl("iqn.1994-05.com.example:second").delete()
portal = rtslib.NetworkPortal(tpg, "[::1]", 0)
assert [one.ip_address for one in tpg.network_portals] == ["[::1]"] and portal.iser is False
try:
    portal.iser = True
    raise AssertionError("there is no iSER")
except rtslib.RTSLibError:
    pass

group = rtslib.ALUATargetPortGroup(disk, "second", tag=2)
lun.alua_tg_pt_gp_name = "second"
group.alua_access_state = 2
assert (group.tg_pt_gp_id, group.alua_access_state, group.preferred) == (2, 2, 0)
assert [one.name for one in disk.alua_tpgs] == ["default_tg_pt_gp", "second"]
for name in dir(group):
    getattr(group, name)
group.delete()
assert lun.alua_tg_pt_gp_name == "default_tg_pt_gp" and not group.exists
for wrong in (
    lambda: rtslib.ALUATargetPortGroup(disk, "nosuch"),
    lambda: next(disk.alua_tpgs).delete(),
    lambda: rtslib.LUN(tpg, 0, alias="a"),
    lambda: rtslib.MappedLUN(acl, 5, write_protect=True),
    lambda: rtslib.MappedLUN(acl, 5, lun),
    lambda: root.clear_existing(),
    lambda: utils.normalize_wwn(["naa"], "iqn.2003-01.org.example:a"),
):
    try:
        wrong()
        raise AssertionError("rtslib raises RTSLibError here")
    except rtslib.RTSLibError:
        pass
for kind in ("iqn", "naa", "eui", "unit_serial"):
    name = utils.generate_wwn(kind)
    assert utils.normalize_wwn([kind], name.upper()) == (name, kind)
assert utils.normalize_wwn(("iqn", "naa"), "50:01:40:5c:81:b9:d9:06") == ("naa.5001405c81b9d906", "naa")

path = os.path.join(folder, "copy.json")
root.save_to_file(path)
assert os.stat(path).st_mode & 0o777 == 0o600, "it has secrets"
target.delete()
assert not tpg.exists and list(root.luns) == []
root.clear_existing(confirm=True)
assert root.restore_from_file(path) == []
assert [one.wwn for one in root.targets] == ["iqn.2003-01.org.example:a"]

bus = rtslib.Target(rtslib.FabricModule("loopback"))
only = next(bus.tpgs)
assert only.path == bus.path and rtslib.LUN(only, storage_object=rtslib.RDMCPStorageObject("rd0")).lun == 0
try:
    wrong = {"storage_objects": [{"plugin": "fileio", "name": "x"}], "fabric_modules": [], "targets": []}
    root.restore(wrong, abort_on_error=True)
    raise AssertionError("what could not be restored is raised")
except rtslib.RTSLibError:
    pass
print("well")
