"""Arms the tracer in every interpreter that inherits mtrace's environment.

`mtrace run` puts this file's folder first on PYTHONPATH, so that `site` imports it. It must leave
no trace of its own in the program: the folder leaves sys.path, no module stays in sys.modules, and
the sitecustomize that it shadows, if any, runs as if this one had not been there. It is silent
whatever happens; an interpreter that cannot be recorded leaves a sentence in the trace directory.

Also read by interpreters that mtrace does not support, so: old syntax, and nothing imported but
what every interpreter has loaded by now.
"""
import os
import sys


def host_name():
    """The program that embeds the interpreter; empty where that is a python, or cannot be told."""
    try:
        name = os.path.basename(os.readlink(b"/proc/self/exe")).decode("utf-8", "replace")
    except EnvironmentError:
        return ""
    if name.endswith(" (deleted)"):  # replaced since by a newer one
        name = name[:-len(" (deleted)")]
    # Started as an argument of the dynamic loader or of an emulator, it is a python, too.
    if "python" in name.lower() or name.startswith(("ld-", "ld.so", "qemu-")):
        return ""
    return name


def program_name():
    """What PROGRAM.PID.trace begins with. sys.argv does not know the module of -m yet."""
    host = host_name()
    if host:
        return host  # its arguments are its own
    words = []
    try:
        with open("/proc/self/cmdline", "rb") as f:
            words = f.read().decode("utf-8", "replace").split("\0")[1:-1]
    except EnvironmentError:  # no /proc, or no descriptor to spare
        for word in getattr(sys, "orig_argv", [])[1:]:
            words.append(word.encode("utf-8", "replace").decode("utf-8"))
    while words:
        word = words.pop(0)
        if word == "-":
            break
        if word == "--check-hash-based-pycs":
            words = words[1:]
        elif word.startswith("--"):
            pass
        elif word.startswith("-"):
            for i, letter in enumerate(word[1:], 2):
                if letter not in "cmWX":
                    continue
                value = word[i:] or (words.pop(0) if words else "")
                if letter == "m":
                    return value.rpartition(".")[2] if not value.endswith("__main__") else value
                if letter == "c":
                    for name in ("resource_tracker", "forkserver", "spawn"):
                        if ("from multiprocessing." + name) in value or (".loky.backend." + name) in value:
                            return name
                    return "python"
                break
        else:
            name = os.path.basename(word.rstrip("/"))
            return name[:-3] if name.endswith(".py") else name
    return "python"


def load_tracer(home):
    """The extension for this interpreter, without a place in sys.modules."""
    version = "%d.%d" % sys.version_info[:2]
    implementation = getattr(sys, "implementation", None)
    if implementation is not None and implementation.name != "cpython":
        raise RuntimeError("only CPython can be recorded")
    if not (3, 9) <= sys.version_info[:2] <= (3, 15):
        raise RuntimeError("CPython %s is not supported (3.9 to 3.15 are)" % version)
    import _imp
    from _frozen_importlib import ModuleSpec
    from _frozen_importlib_external import ExtensionFileLoader

    suffix = _imp.extension_suffixes()[0]
    path = home + "/mtrace/_tracer" + suffix
    if not os.path.exists(path):
        raise RuntimeError("this mtrace has no extension for CPython %s (%s)" % (version, suffix))
    loader = ExtensionFileLoader("mtrace._tracer", path)
    tracer = loader.create_module(ModuleSpec("mtrace._tracer", loader, origin=path))
    loader.exec_module(tracer)
    return tracer


def write_quietly(fd, data):
    """Beyond the file-size limit a write is an error, and not the program's end: CPython ignores SIGXFSZ
    by itself, but who embeds it may not."""
    try:
        import _signal
        xfsz = _signal.SIGXFSZ
        before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [xfsz])
    except (ImportError, AttributeError):
        os.write(fd, data)
        return
    try:
        pending = xfsz in _signal.sigpending()
        try:
            os.write(fd, data)
        except EnvironmentError:
            if not pending and xfsz in _signal.sigpending():
                _signal.sigtimedwait([xfsz], 0)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def leave_note(directory, error):
    """Tells `mtrace run` why there is no trace of this process."""
    try:
        name = program_name()
    except Exception:
        name = "python"
    name = "".join([c if c.isalnum() or c in "._+-" else "_" for c in name])[:60].lstrip(".")
    path = "%s/%s.%d.untraced" % (directory, name or "_", os.getpid())
    text = "%s: %s\n" % (sys.executable, error)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | getattr(os, "O_CLOEXEC", 0)
    fd = os.open(path, flags, 0o600)
    try:
        if os.fstat(fd).st_mode & 0o777 != 0o600:
            os.fchmod(fd, 0o600)  # the umask took more than it should
        write_quietly(fd, text.encode("utf-8", "replace"))
    finally:
        os.close(fd)


def identifier(name):
    """16 bytes from the environment, or none."""
    try:
        value = bytes(bytearray.fromhex(os.environ.get(name, "")))
    except ValueError:
        return b""
    return value if len(value) == 16 else b""


def arm(home):
    directory = os.environ.get("MTRACE_DIR", "")
    if not directory.startswith("/"):
        return
    try:
        tracer = load_tracer(home)
        if tracer.recording():
            return
        options = os.environ.get("MTRACE_OPTIONS", "").split(",")
        engines = [word[len("engine="):] for word in options if word.startswith("engine=")]
        run_id, parent_id = identifier("MTRACE_RUN"), identifier("MTRACE_PARENT")
        tracer.open(directory, program_name(), sys.executable or "", home, run_id, parent_id,
                    True, "no-c" not in options, "all-calls" in options,
                    engines[-1] if engines else "auto")
        os.environ["MTRACE_PARENT"] = tracer.file_id().hex()
        tracer.start()
    except Exception as error:
        leave_note(directory, error)


def shadowed():
    """Is there a sitecustomize behind this one? Where that cannot be told, the import will."""
    try:
        from _frozen_importlib_external import PathFinder
        return PathFinder.find_spec("sitecustomize") is not None
    except Exception:
        return True


def main():
    """Arms, and says whether there is a sitecustomize to import."""
    here = os.path.dirname(__file__)
    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path_importer_cache.pop(here, None)
    # Held on to: Python 2 clears the globals of a module that nobody has.
    itself = sys.modules.pop("sitecustomize", None)  # noqa: F841
    found = shadowed()
    try:
        arm(os.path.dirname(here))
    except Exception:
        pass
    return found


if main():
    import sitecustomize  # noqa: F401
else:
    # What `site` expects where there is none; it also takes this module out of sys.modules.
    raise ImportError("No module named 'sitecustomize'", name="sitecustomize")
