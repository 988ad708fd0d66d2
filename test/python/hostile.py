"""What a connection makes of answers that come late, and of answers that tcli never gives: run by python.test.ts."""

import json
import os
import signal
import socket
import sys
import threading
import time

from tcli_rtslib import RTSLibError, connection as words
from tcli_rtslib.connection import Connection

path = os.path.join(sys.argv[1], "hostile.sock")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(5)
#: Does what one test wants with a question.
reply = None


def serve(end):
    stream = end.makefile("rwb")

    def say(message):
        stream.write((message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n")
        stream.flush()

    try:
        for line in stream:
            asked = json.loads(line)
            if "tcli" in asked:
                say({"tcli": 1, "version": "x", "pid": 1, "role": "serve"})
            else:
                reply(asked, say)
    except OSError:
        pass


def accept():
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


def well(asked, say):
    say({"id": asked["id"], "is": "configuration", "configuration": {"path": asked["path"]}})


def slow(asked, say):
    time.sleep(1 if asked["path"] == "/slow" else 0)
    well(asked, say)


def late(_number, _frame):
    raise TimeoutError("alarm") if kind == "os" else KeyboardInterrupt()


threading.Thread(target=accept, daemon=True).start()
signal.signal(signal.SIGALRM, late)
for kind in ("os", "key"):
    one = Connection(path)
    reply = slow
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        one.read("/slow")
        raise AssertionError("it was interrupted")
    except (RTSLibError, KeyboardInterrupt):
        pass
    for path_asked in ("/b", "/c"):
        assert one.read(path_asked) == {"path": path_asked}, "the answer is the one to what was asked"

words.LINE_BYTES_MAX = 1 << 20
hostile = {
    "no JSON": lambda asked, say: say(b"{nonsense"),
    "no text": lambda asked, say: say(b'{"id": "\xff\xfe"}'),
    "a list": lambda asked, say: say([1]),
    "nothing in it": lambda asked, say: say({"id": asked["id"]}),
    "another id": lambda asked, say: well(dict(asked, id=asked["id"] - 1), say),
    "no object": lambda asked, say: say({"id": asked["id"], "configuration": 7}),
    "deep": lambda asked, say: say(b"[" * 200000),
    "long": lambda asked, say: say(b" " * (2 << 20)),
    "an error that is none": lambda asked, say: say({"id": asked["id"], "error": ["x"], "hint": "\x1b[31mhint"}),
    "an error of the connection": lambda asked, say: say({"tcli": 1, "error": "It ends."}),
}
for name, reply in hostile.items():
    one = Connection(path)
    try:
        one.read("/x")
        raise AssertionError(name)
    except RTSLibError as error:
        assert "\x1b" not in str(error), name
    reply = well
    assert one.read("/y") == {"path": "/y"}, name
print("well")
