"""Asks pkg-config about a library of the system, for repository rules."""

def pkg_config(rctx, library, package, *args):
    """The words that pkg-config prints.

    Args:
      rctx: the repository rule's context.
      library: pkg-config's name of the library.
      package: the Debian package to name where it is missing.
      *args: options of pkg-config.

    Returns:
      The output without surrounding space.
    """
    exe = rctx.which("pkg-config") or rctx.which("pkgconf")
    if not exe:
        fail("pkg-config not found: install pkg-config and " + package)
    result = rctx.execute([exe] + list(args) + [library])
    if result.return_code != 0:
        fail("%s not found: install %s\n%s" % (library, package, result.stderr))
    return result.stdout.strip()
