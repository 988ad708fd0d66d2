"""tcli in the place of LIO, for programs that import rtslib_fb: who wants that puts this folder on PYTHONPATH."""

import sys

from tcli_rtslib import *  # noqa: F401,F403
from tcli_rtslib import root, utils  # noqa: F401

# `import rtslib_fb.root` finds the same modules.
for _name in ("alua", "fabric", "node", "root", "target", "utils"):
    sys.modules["rtslib_fb." + _name] = sys.modules["tcli_rtslib." + _name]
sys.modules["rtslib_fb.tcm"] = sys.modules["tcli_rtslib.storage"]
