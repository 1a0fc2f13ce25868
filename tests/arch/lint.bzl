"""Tests that run a program over the sources: lint.py says which."""

load("@pythons//:versions.bzl", "TOOLS")
load("//third_party/bazel:launcher.bzl", "launcher_test")

def lint(name, what, paths, data, size = "medium", tags = [], key = ""):
    """One test.

    Args:
      name: of the test.
      what: as lint.py has it.
      paths: what it is given.
      data: what it reads.
      size: of the test.
      tags: beside "lint".
      key: as of launcher_test.
    """
    launcher_test(
        name = name,
        src = "lint.py",
        size = size,
        command = [TOOLS.executable, "{file}", what] + paths,
        data = data,
        key = key,
        tags = tags + ["lint"],
        deps = ["@pypi_lint//:packages"],
    )

def c_lint(sources, analyzed):
    """What is looked at in C code, all at once, or, where that takes long, each list by itself.

    Args:
      sources: label of a c_sources, by name.
      analyzed: names of those that clang's analyzer looks at, too.
    """
    paths = {name: label[2:].replace(":", "/") + ".json" for name, label in sources.items()}
    lint(name = "format", what = "format", paths = paths.values(), data = sources.values() + ["//:.clang-format"])
    lint(name = "headers", what = "headers", paths = paths.values(), data = sources.values())
    lint(
        name = "cppcheck",
        what = "cppcheck",
        paths = paths.values(),
        data = sources.values() + ["cppcheck.txt"],
    )
    for name, label in sources.items():
        config = ["//:.clang-tidy", "//tests:.clang-tidy"]
        lint(name = "tidy_" + name, what = "tidy", paths = [paths[name]], data = [label] + config)
        if name in analyzed:
            lint(
                name = "analyze_" + name,
                what = "analyze",
                paths = [paths[name]],
                data = [label] + config,
                tags = ["manual"],
            )

def script_lint(scripts):
    """Python and shell.

    Args:
      scripts: labels of files, of both.
    """
    lint(name = "python", what = "python", paths = [], data = scripts + ["//:ruff.toml"])
    lint(name = "shell", what = "shell", paths = [], data = scripts + ["//:.shellcheckrc"])
