"""The control socket of a running tcli: one JSON value to a line, as docs/protocol.md has it."""

import json
import os
import socket


class RTSLibError(Exception):
    """What cannot be done, in the words of tcli; `hint` says what to do next, where there is something."""

    def __init__(self, message, hint=None):
        super().__init__(message if hint is None else "%s\n%s" % (message, hint))
        self.hint = hint


class RTSLibNotInCFS(RTSLibError):
    """An object that is not there."""


class RTSLibALUANotSupported(RTSLibError):
    """A storage object without target port groups."""


def home_files(environment=os.environ, uid=None):
    """The saved file and the control socket, as tcli itself looks for them."""
    home = environment.get("TCLI_HOME")
    if home:
        return os.path.join(home, "saveconfig.json"), os.path.join(home, "run/control.sock")
    if (os.getuid() if uid is None else uid) == 0:
        return "/etc/tcli/saveconfig.json", "/run/tcli/control.sock"
    user = environment.get("HOME", os.path.expanduser("~"))
    config = environment.get("XDG_CONFIG_HOME") or os.path.join(user, ".config")
    state = os.path.join(environment.get("XDG_STATE_HOME") or os.path.join(user, ".local/state"), "tcli")
    runtime = environment.get("XDG_RUNTIME_DIR")
    run = os.path.join(runtime, "tcli") if runtime else os.path.join(state, "run")
    return os.path.join(config, "tcli/saveconfig.json"), os.path.join(run, "control.sock")


class Connection:
    """A connection that is opened when it is needed, and again when it was lost."""

    def __init__(self, path=None):
        self._path = path
        self._stream = None
        self._id = 0

    def _open(self):
        path = self._path or os.environ.get("TCLI_SOCKET") or home_files()[1]
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect(path)
        except OSError as error:
            raise RTSLibError("No tcli can be reached at %s: %s" % (path, error), "To start one: tcli daemon start")
        self._stream = end.makefile("rwb")
        end.close()
        self._say({"tcli": 1})
        self._hear()

    def _say(self, message):
        self._stream.write(json.dumps(message).encode() + b"\n")
        self._stream.flush()

    def _hear(self):
        line = self._stream.readline()
        if not line:
            raise OSError("the process that serves it closed the connection")
        answer = json.loads(line)
        if "error" in answer:
            raise RTSLibError(answer["error"], answer.get("hint"))
        return answer

    def ask(self, word, **request):
        """The answer to one request. Raises RTSLibError for what is refused, and where tcli cannot be reached."""
        if self._stream is None:
            self._open()
        self._id += 1
        try:
            self._say(dict(request, id=self._id, do=word))
            return self._hear()
        except OSError as error:
            # Whether it was done is not known: it is not asked again.
            self._stream = None
            raise RTSLibError("The connection to tcli was lost: %s" % error)

    def apply(self, path, verb, **params):
        """One change. Returns its parameters as they were carried out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.ask("apply", operation={"path": path, "verb": verb, "params": given})["operation"]["params"]

    def read(self, path):
        """What stands at a path, as the saved file has it. Raises RTSLibNotInCFS where nothing does."""
        try:
            return self.ask("configuration", path=path)["configuration"]
        except RTSLibError as error:
            if str(error).startswith("No such path"):
                raise RTSLibNotInCFS(str(error))
            raise


#: The connection that all objects use.
connection = Connection()
