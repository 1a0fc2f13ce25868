"""c_sources: how the sources of C targets are compiled, as a file that programs other than a compiler read.

The file NAME.json holds, with paths as tests see them, below the workspace's runfiles:

    {"sources": [{"file": "src/a.c", "flags": ["-Isrc", ...]}, ...], "headers": ["src/a.h", ...]}

Headers are the targets' own.  What all of them need to be compiled is in the runfiles.
"""

SourcesInfo = provider(fields = {
    "sources": "depset of structs: file, flags",
    "headers": "depset of the target's own headers",
    "needs": "depset of what they include",
})

def _runfiles_folder(path):
    """ "bazel-out/k8-opt/bin/external/libuv/include" gives "../libuv/include". """
    parts = path.split("/")
    if parts[0] == "bazel-out":
        parts = parts[3:]
    if parts and parts[0] == "external":
        parts = [".."] + parts[1:]
    return "/".join(parts) or "."

def _aspect_impl(target, ctx):
    rule = ctx.rule.attr
    contexts = [d[CcInfo].compilation_context for d in rule.deps if CcInfo in d]
    if CcInfo in target:
        contexts.append(target[CcInfo].compilation_context)
    flags = list(rule.copts) + ["-D" + d for d in rule.defines]
    for context in contexts:
        flags += ["-D" + d for d in context.defines.to_list()]
        for folders in [context.includes, context.quote_includes, context.system_includes]:
            flags += ["-isystem" + f for f in [_runfiles_folder(f) for f in folders.to_list()] if f != "."]
    unique = {flag: None for flag in flags}.keys()
    files = [f for a in ["srcs", "hdrs"] for d in getattr(rule, a, []) for f in d.files.to_list()]
    return [SourcesInfo(
        sources = depset([struct(file = f, flags = tuple(unique)) for f in files if f.extension == "c"]),
        headers = depset([f for f in files if f.extension == "h"]),
        needs = depset(files, transitive = [context.headers for context in contexts]),
    )]

_c_sources_aspect = aspect(implementation = _aspect_impl)

def _c_sources_impl(ctx):
    infos = [t[SourcesInfo] for t in ctx.attr.targets]
    sources = {
        s.file.short_path: s
        for i in infos
        for s in i.sources.to_list()
        if s.file.owner.workspace_name == ctx.label.workspace_name
    }
    headers = {
        f.short_path: None
        for i in infos
        for f in i.headers.to_list()
        if f.owner.workspace_name == ctx.label.workspace_name
    }
    out = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.write(out, json.encode(struct(
        sources = [struct(file = p, flags = list(sources[p].flags)) for p in sorted(sources)],
        headers = sorted(headers),
    )))
    return [DefaultInfo(
        files = depset([out]),
        runfiles = ctx.runfiles(files = [out], transitive_files = depset(transitive = [i.needs for i in infos])),
    )]

c_sources = rule(
    implementation = _c_sources_impl,
    attrs = {"targets": attr.label_list(
        aspects = [_c_sources_aspect],
        doc = "cc_library, cc_binary, cc_test",
        mandatory = True,
    )},
)
