"""The comparison as a test of one interpreter, for where there is nothing but `bazel test`: options and
files by --test_arg, see compare.py."""
import sys

from tests.cpython import compare

if __name__ == "__main__":
    sys.exit(compare.main(["--python", sys.executable, *sys.argv[1:]]))
