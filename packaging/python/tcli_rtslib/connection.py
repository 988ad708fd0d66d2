"""The control socket of a running tcli: one JSON value to a line, as docs/protocol.md has it."""

import json
import os
import socket
import struct


class RTSLibError(Exception):
    """What cannot be done, in the words of tcli; `hint` says what to do next, where there is something."""

    def __init__(self, message, hint=None):
        super().__init__(message if hint is None else "%s\n%s" % (message, hint))
        self.hint = hint


class RTSLibNotInCFS(RTSLibError):
    """An object that is not there."""


class RTSLibBrokenLink(RTSLibError):
    """For programs that expect it: a LUN of tcli always has its storage object."""


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


#: A message is not longer (docs/protocol.md).
LINE_BYTES_MAX = 16 << 20


class _Answer(dict):
    """A JSON object of an answer: what lacks in it is an error as others are."""

    def __missing__(self, key):
        raise RTSLibError("The answer of tcli has no %r" % (key,))


def _object(value):
    """A JSON object, where one has to stand."""
    if not isinstance(value, _Answer):
        raise RTSLibError("The answer of tcli is not understood")
    return value


def _text(value):
    """Words for a person: what a terminal would take as a command is left out."""
    return "".join(sign for sign in str(value) if sign.isprintable() or sign == "\n")


def _refuse_stranger(end, path):
    """Raises where whoever serves the socket is somebody of whom we do not know that he may hear what is asked.

    Root and our own user are trusted. Another user is where the socket is that user's, or one that root made for him,
    in a folder of either, and we are root or in the group for which it was made (serve --group), and not everybody is.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    found, folder = os.lstat(path), os.lstat(os.path.dirname(path) or ".")
    size = struct.calcsize("3i")
    uid = found.st_uid if option is None else struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, option, size))[1]
    own = os.geteuid()
    if uid in (0, own):
        return
    is_for_group = found.st_mode & 0o022 == 0o020 and found.st_gid in [os.getegid()] + os.getgroups()
    if {found.st_uid, folder.st_uid} <= {0, uid} and (own == 0 or is_for_group):
        return
    raise RTSLibError("%s is served by user %d, whom this program does not trust: nothing was sent there." % (path, uid))


class Connection:
    """A connection that is opened when it is needed, and again when it was lost.

    It is one question and its answer at a time: where that is interrupted in any way, the connection is given up. The
    answer that is still under way would be taken for the answer to the next question.
    """

    def __init__(self, path=None):
        self._path = path
        self._stream = None
        self._id = 0

    def _open(self):
        path = self._path or os.environ.get("TCLI_SOCKET") or home_files()[1]
        with socket.socket(socket.AF_UNIX) as end:
            try:
                end.connect(path)
                _refuse_stranger(end, path)
            except OSError as error:
                raise RTSLibError("No tcli can be reached at %s: %s" % (path, error), "To start one: tcli daemon start")
            self._stream = end.makefile("rwb")
        return self._exchange({"tcli": 1})

    def _close(self):
        stream, self._stream = self._stream, None
        try:
            if stream is not None:
                stream.close()
        except (OSError, ValueError):
            pass

    def _exchange(self, message):
        self._stream.write(json.dumps(message).encode() + b"\n")
        self._stream.flush()
        line = self._stream.readline(LINE_BYTES_MAX + 1)
        if len(line) > LINE_BYTES_MAX:
            raise RTSLibError("The answer of tcli is longer than %d bytes" % LINE_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise OSError("the process that serves it closed the connection")
        try:
            answer = _object(json.loads(line, object_hook=_Answer))
        except (ValueError, RecursionError) as error:
            raise RTSLibError("The answer of tcli is not JSON: %s" % error)
        # What has no id is said of the connection: why it ends.
        if answer.get("id") != message.get("id") and "error" not in answer:
            raise RTSLibError("The answer of tcli is none to what was asked")
        return answer

    def ask(self, word, **request):
        """The answer to one request. Raises RTSLibError for what is refused, and where tcli cannot be reached."""
        self._id += 1
        asked = dict(request, id=self._id, do=word)
        done = False
        try:
            answer = self._open() if self._stream is None else None
            if answer is None or "error" not in answer:
                answer = self._exchange(asked)
            done = answer.get("id") == self._id
        except OSError as error:
            # Whether it was done is not known: it is not asked again.
            raise RTSLibError("The connection to tcli was lost: %s" % error)
        finally:
            # Also for what an alarm or a key of the person raises.
            if not done:
                self._close()
        if "error" in answer:
            hint = answer.get("hint")
            raise RTSLibError(_text(answer["error"]), None if hint is None else _text(hint))
        return answer

    def apply(self, path, verb, **params):
        """One change. Returns its parameters as they were carried out."""
        given = {name: value for name, value in params.items() if value is not None}
        answer = self.ask("apply", operation={"path": path, "verb": verb, "params": given})
        return _object(_object(answer["operation"])["params"])

    def read(self, path):
        """What stands at a path, as the saved file has it. Raises RTSLibNotInCFS where nothing does."""
        try:
            return _object(self.ask("configuration", path=path)["configuration"])
        except RTSLibError as error:
            if str(error).startswith("No such path"):
                raise RTSLibNotInCFS(str(error))
            raise


#: The connection that all objects use.
connection = Connection()
