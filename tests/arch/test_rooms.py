"""The rules between the rooms of the house, over Bazel's graph and over the #include lines.

Bazel's visibility says the same rules, each beside its room; here they stand together, and a rule that
somebody loosens there fails here.
"""
import os
import re
import unittest

from tests.arch.house import sources

HERE = os.path.dirname(os.path.abspath(__file__))

GROUND = {"include", "src"}  # src itself: copts.bzl and no target
# What a room may reach, itself included.  @name is a repository.
REACHES = {
    "include": GROUND,
    "base": GROUND | {"src/base"},
    "os": GROUND | {"src/base", "src/os"},
    # The recording wing: never a reader.
    "core": GROUND | {"src/base", "src/os", "src/core"},
    "ext": GROUND | {"src/base", "src/os", "src/core", "src/ext", "src/python", "@pythons"},
    # The reading wing: never the core, nor the system below the reader and the sinks.
    "reader": GROUND | {"src/base", "src/reader"},
    "profile": GROUND | {"src/base", "src/profile"},
    "view": GROUND | {"src/view"},
    "sink": GROUND | {"src/base", "src/profile", "src/view", "src/sink"},
    "cli": GROUND | {"src/base", "src/os", "src/reader", "src/profile", "src/view", "src/sink", "src/cli",
                     "@isal", "@libuv", "@zlib", "@zstd"},
}
# Where Bazel keeps the compiler's settings and the root's config_settings: nobody's code.
NOBODYS = {"", "@bazel_tools", "@local_config_cc", "@rules_cc"}

# Headers that belong to one wing.
READING = {"mtrace/event.h", "mtrace/live.h", "mtrace/reader.h", "mtrace/sink.h"}
UV_FILES = {"src/cli/%s.%s" % (name, suffix) for name in ("loop", "pool", "serve", "spawn", "watch") for suffix in "ch"}


def package(label):
    """ "//src/base:x.c" gives "src/base", "@libuv//:uv" gives "@libuv". """
    match = re.match(r"@*([^/]*)//([^:]*)", label)
    repository, path = match.groups()
    return "@" + repository if repository and repository != "mtrace" else path


class Graph(unittest.TestCase):
    def test_rooms_reach_only_what_is_below_them(self):
        for room, allowed in REACHES.items():
            with open(os.path.join(HERE, "deps_" + room)) as f:
                labels = f.read().split()
            self.assertTrue(labels, room)
            wrong = [label for label in labels if package(label) not in allowed | NOBODYS]
            self.assertEqual(wrong, [], "%s reaches what it must not" % room)


class Includes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.includes = {path: set(re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M))
                        for path, text in sources()}

    def test_there_is_something_to_read(self):
        rooms = {"/".join(path.split("/")[:2]) for path in self.includes}
        self.assertLessEqual({"include/mtrace", "src/base", "src/core", "src/ext", "src/cli"}, rooms)

    def where(self, wanted):
        return {path for path, names in self.includes.items() if wanted(names)}

    def test_libuv_in_five_files_and_their_headers(self):
        users, headers = set(), {"uv.h"}
        while headers:  # who includes it, who includes those, and so on
            found = self.where(lambda names: names & headers or any(n.startswith("uv/") for n in names))
            headers = {p[len("src/"):] for p in found - users if p.endswith(".h")}
            users |= found
        self.assertEqual(users - UV_FILES, set())

    def test_python_only_in_ext(self):
        # internal/, cpython/ and the single headers of CPython that can be included without Python.h
        users = self.where(lambda names: any(
            n in ("Python.h", "frameobject.h", "structmember.h") or n.startswith(("internal/pycore", "cpython/"))
            for n in names))
        self.assertEqual({p for p in users if not p.startswith("src/ext/")}, set())

    def test_python_version_only_in_compat(self):
        users = {path for path, text in sources() if "PY_VERSION_HEX" in text}
        self.assertEqual(users - {"src/ext/compat.h"}, set())

    def test_wings_meet_in_the_format_only(self):
        wrong = {path: names & READING for path, names in self.includes.items()
                 if path.startswith(("src/core/", "src/ext/", "src/os/")) and names & READING}
        self.assertEqual(wrong, {})

    def test_headers_of_other_rooms(self):
        rooms = {room for room in REACHES if room != "include"}
        for path, names in self.includes.items():
            if not path.startswith("src/"):
                continue
            allowed = {p.split("/")[1] for p in REACHES[path.split("/")[1]] if p.startswith("src/")}
            used = {n.split("/")[0] for n in names if "/" in n} & rooms
            self.assertEqual(used - allowed, set(), path)

    def test_sinks_see_events_only(self):
        wrong = self.where(lambda names: names & {"mtrace/live.h", "mtrace/reader.h"})
        self.assertEqual({p for p in wrong if p.startswith(("src/sink/", "src/profile/"))}, set())


if __name__ == "__main__":
    unittest.main()
