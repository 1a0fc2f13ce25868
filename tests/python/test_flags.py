"""Children that are started with other options of the interpreter: the same output, the same errors."""
import os
import sys

from tests.python import harness

CHILD = """
    import json, os, sys
    print(sys.flags, sys.warnoptions, sorted(getattr(sys, "_xoptions", {})), "site" in sys.modules)
    print([entry for entry in sys.path if entry != os.environ.get("BOOT")])
    print(sys.getprofile(), sys.gettrace(), [name for name in sys.modules if "sitecustomize" in name or "mtrace" in name])
    open(__file__)  # a ResourceWarning, where that is asked for
    try:
        print(b"a" == "a")
    except BytesWarning as error:
        print("BytesWarning", error)
"""

# Prints what became of a child for each row of options; without times, and hashes of memory.
PARENT = """
    import re, subprocess, sys
    FLAGS = ["", "-bb", "-b", "-X dev", "-X dev -W error", "-W error", "-X importtime", "-X tracemalloc", "-X utf8",
             "-X faulthandler", "-I", "-E", "-s", "-S", "-I -S", "-OO", "-B", "-u", "-q"]
    if sys.version_info >= (3, 11):
        FLAGS += ["-P", "-X frozen_modules=off", "-X no_debug_ranges"]
    for flags in FLAGS:
        child = subprocess.run([sys.executable, *flags.split(), sys.argv[1], "an argument"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True)
        errors = re.sub(r"(?m)^import time: .*\\| *", "import time: ", child.stderr)
        # Ours imports the one that it shadows.
        errors = re.sub("(import time: sitecustomize\\n)+", "import time: sitecustomize\\n", errors)
        print("====", flags, child.returncode, child.stdout, re.sub("0x[0-9a-f]+", "0x", errors))
"""


class Flags(harness.Case):
    def test_children(self):
        child, parent = self.write("child.py", CHILD), self.write("parent.py", PARENT)
        env = dict(os.environ, BOOT=os.path.join(harness.HOME, "boot"))
        env.pop("PYTHONPATH", None)
        untraced = self.untraced(sys.executable, parent, child, env=env)
        self.assertEqual(untraced.stdout.count("===="), 22 if sys.version_info >= (3, 11) else 19)
        self.assertEqual(untraced.stderr, "")
        for engine in harness.ENGINES[True]:
            with self.subTest(engine):
                done = self.run_traced(sys.executable, parent, child, env=env, options=["--engine", engine])
                self.assertMultiLineEqual(done.stdout, untraced.stdout)
                self.assertEqual(done.stderr, "")
        self.check()


if __name__ == "__main__":
    harness.main()
