"""launcher_test: runs a script under an interpreter named by absolute path, with an environment.

Bazel's own rules do not fit: py_test knows one Python (and on Debian 12 starts with `env python`,
which is not there), and the `env` of sh_test cannot hold absolute paths of runfiles.
"""

PackagesInfo = provider(doc = "A folder of Python packages.", fields = {"path": "Where it is, below the runfiles."})

def _packages_impl(ctx):
    return [
        DefaultInfo(files = depset(ctx.files.srcs), runfiles = ctx.runfiles(files = ctx.files.srcs)),
        PackagesInfo(path = ctx.label.workspace_name + "/" + ctx.attr.path),
    ]

python_packages = rule(
    doc = "A folder that goes on PYTHONPATH of the launcher_tests that name it in `deps`.",
    implementation = _packages_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = True),
        "path": attr.string(mandatory = True),
    },
)

def _quote(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _launcher_test_impl(ctx):
    here = ctx.workspace_name
    words = {
        "file": ctx.file.src.short_path,
        "module": ctx.file.src.short_path[:-len("." + ctx.file.src.extension)].replace("/", "."),
    }
    lines = [
        "#!/bin/sh",
        "# " + ctx.attr.key,
        'root=$(cd "${RUNFILES_DIR:-${TEST_SRCDIR:-$0.runfiles}}" && pwd)',
        "unset PYTHONPATH PYTHONHOME PYTHONSTARTUP",
        "export PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1",
    ]
    if ctx.attr.deps:
        lines.append('export PYTHONPATH="%s"' % ":".join(["$root/" + d[PackagesInfo].path for d in ctx.attr.deps]))
    lines += ["export %s=%s" % (k, _quote(v)) for k, v in ctx.attr.environment.items()]
    lines += ['export %s="$root/%s/%s"' % (k, here, v) for k, v in ctx.attr.paths.items()]
    # Here and not by --test_env: Bazel's own shells would be given it too.
    # CPython itself leaks at exit, and so do other programs; and there are some that end by such signals.
    asan_options = "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0"
    lines.append('[ -z "${MTRACE_TEST_PRELOAD-}" ] || export LD_PRELOAD="$MTRACE_TEST_PRELOAD" ASAN_OPTIONS="${ASAN_OPTIONS-}:%s"' % asan_options)
    lines.append("unset MTRACE_TEST_PRELOAD")  # no variable of ours for what is tested
    # The paths of Unix sockets are short: Chromium's, and those of tests.
    lines.append('[ "${#TMPDIR}" -le 40 ] || export TMPDIR=/tmp')
    lines.append('cd "$root/%s"' % here)
    lines.append('exec %s "$@"' % " ".join([_quote(word.format(**words)) for word in ctx.attr.command]))
    launcher = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(launcher, "\n".join(lines) + "\n", is_executable = True)

    files = [ctx.file.src] + ctx.files.data
    environment = {}
    if ctx.configuration.coverage_enabled:
        # What Bazel sets by itself for native test rules only.
        files.append(ctx.file._collect_cc_coverage)
        environment = {
            "BAZEL_CC_COVERAGE_TOOL": "GCOV",
            "CC_CODE_COVERAGE_SCRIPT": ctx.file._collect_cc_coverage.path,
            "COVERAGE_GCOV_PATH": "/usr/bin/gcov",
        }
    runfiles = ctx.runfiles(files = files)
    for d in ctx.attr.data + ctx.attr.deps:
        runfiles = runfiles.merge(d[DefaultInfo].default_runfiles)
    return [
        DefaultInfo(executable = launcher, runfiles = runfiles),
        coverage_common.instrumented_files_info(ctx, dependency_attributes = ["data"]),
        testing.TestEnvironment(environment),
    ]

launcher_test = rule(
    implementation = _launcher_test_impl,
    test = True,
    attrs = {
        "src": attr.label(
            doc = "The script.",
            allow_single_file = True,
            mandatory = True,
        ),
        "command": attr.string_list(
            doc = "What runs it; {file} and {module} stand for the script.",
            mandatory = True,
        ),
        "key": attr.string(doc = "What else the result depends on: the interpreter's full version."),
        "data": attr.label_list(allow_files = True),
        "deps": attr.label_list(
            doc = "python_packages, for PYTHONPATH.",
            providers = [PackagesInfo],
        ),
        "environment": attr.string_dict(doc = "Variables."),
        "paths": attr.string_dict(doc = "Variables that hold a path below the workspace's runfiles, made absolute."),
        "_collect_cc_coverage": attr.label(
            default = "@bazel_tools//tools/test:collect_cc_coverage",
            allow_single_file = True,
        ),
        "_lcov_merger": attr.label(
            default = "@remote_coverage_tools//:lcov_merger",
            executable = True,
            cfg = "exec",
        ),
    },
)
