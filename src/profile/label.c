/* label.c - see label.h. */
#include "profile/label.h"

#include <stdlib.h>
#include <string.h>

/* In the order of strcmp. Names that begin with a capital letter are types, too: exceptions. */
static const char *const core_types[] = {
    "async_generator",
    "builtin_function_or_method",
    "bytearray",
    "bytes",
    "cell",
    "classmethod",
    "code",
    "complex",
    "coroutine",
    "dict",
    "dict_items",
    "dict_keys",
    "dict_values",
    "enumerate",
    "filter",
    "float",
    "frame",
    "frozenset",
    "function",
    "generator",
    "getset_descriptor",
    "hamt",
    "int",
    "list",
    "managedbuffer",
    "map",
    "mappingproxy",
    "member_descriptor",
    "memoryview",
    "method",
    "method-wrapper",
    "method_descriptor",
    "module",
    "moduledef",
    "object",
    "odict_items",
    "odict_keys",
    "odict_values",
    "property",
    "range",
    "reversed",
    "set",
    "slice",
    "staticmethod",
    "stderrprinter",
    "str",
    "super",
    "traceback",
    "tuple",
    "type",
    "weakcallableproxy",
    "weakproxy",
    "weakref",
    "wrapper_descriptor",
    "zip",
};

/* Types of the standard library's C modules, in the order of strcmp: a trace has their names
 * without the module, cProfile shows it. */
static const struct module_type {
    const char *name, *module;
} module_types[] = {
    {"BZ2Compressor", "_bz2"},
    {"BZ2Decompressor", "_bz2"},
    {"BufferedRWPair", "_io"},
    {"BufferedRandom", "_io"},
    {"BufferedReader", "_io"},
    {"BufferedWriter", "_io"},
    {"BytesIO", "_io"},
    {"Connection", "sqlite3"},
    {"ContextVar", "_contextvars"},
    {"Cursor", "sqlite3"},
    {"Decimal", "decimal"},
    {"DirEntry", "posix"},
    {"Element", "xml.etree.ElementTree"},
    {"FileIO", "_io"},
    {"Future", "_asyncio"},
    {"HASH", "_hashlib"},
    {"HASHXOF", "_hashlib"},
    {"HMAC", "_hashlib"},
    {"IncrementalNewlineDecoder", "_io"},
    {"LZMACompressor", "_lzma"},
    {"LZMADecompressor", "_lzma"},
    {"Match", "re"},
    {"MemoryBIO", "_ssl"},
    {"OrderedDict", "collections"},
    {"Pattern", "re"},
    {"Pickler", "_pickle"},
    {"RLock", "_thread"},
    {"Random", "_random"},
    {"SemLock", "_multiprocessing"},
    {"SimpleQueue", "_queue"},
    {"StringIO", "_io"},
    {"Struct", "_struct"},
    {"Task", "_asyncio"},
    {"TextIOWrapper", "_io"},
    {"TreeBuilder", "xml.etree.ElementTree"},
    {"Unpickler", "_pickle"},
    {"XMLParser", "xml.etree.ElementTree"},
    {"ZoneInfo", "zoneinfo"},
    {"_BufferedIOBase", "_io"},
    {"_IOBase", "_io"},
    {"_RawIOBase", "_io"},
    {"_SSLContext", "_ssl"},
    {"_SSLSocket", "_ssl"},
    {"_SimpleCData", "_ctypes"},
    {"_TextIOBase", "_io"},
    {"_ZlibDecompressor", "zlib"},
    {"_lru_cache_wrapper", "functools"},
    {"accumulate", "itertools"},
    {"array", "array"},
    {"attrgetter", "operator"},
    {"chain", "itertools"},
    {"combinations", "itertools"},
    {"combinations_with_replacement", "itertools"},
    {"compress", "itertools"},
    {"count", "itertools"},
    {"cycle", "itertools"},
    {"date", "datetime"},
    {"datetime", "datetime"},
    {"defaultdict", "collections"},
    {"deque", "collections"},
    {"dropwhile", "itertools"},
    {"epoll", "select"},
    {"filterfalse", "itertools"},
    {"groupby", "itertools"},
    {"islice", "itertools"},
    {"itemgetter", "operator"},
    {"lock", "_thread"},
    {"methodcaller", "operator"},
    {"mmap", "mmap"},
    {"partial", "functools"},
    {"permutations", "itertools"},
    {"poll", "select"},
    {"product", "itertools"},
    {"repeat", "itertools"},
    {"socket", "_socket"},
    {"starmap", "itertools"},
    {"takewhile", "itertools"},
    {"timedelta", "datetime"},
    {"timezone", "datetime"},
    {"tzinfo", "datetime"},
    {"writer", "_csv"},
    {"zip_longest", "itertools"},
};

/* Class methods, in the order of strcmp: cProfile gives only their names. */
static const char *const class_methods[] = {
    "__class_getitem__", "__init_subclass__",
    "__subclasshook__",  "combine",
    "from_bytes",        "from_iterable",
    "fromhex",           "fromisocalendar",
    "fromisoformat",     "fromkeys",
    "fromordinal",       "fromtimestamp",
    "maketrans",         "now",
    "strptime",          "today",
    "utcfromtimestamp",  "utcnow",
};

/* Entries begin with their name. */
static int compare(const void *wanted, const void *entry)
{
    return strcmp(wanted, *(const char *const *)entry);
}

#define FIND(table, name)                                                                          \
    bsearch((name), (table), sizeof(table) / sizeof *(table), sizeof *(table), compare)

static bool ends_with(const struct mt_text *text, const char *end)
{
    size_t n = strlen(end);
    return text->n_bytes >= n && !memcmp(text->data + text->n_bytes - n, end, n);
}

static bool is_type(const struct mt_text *owner)
{
    return (owner->data[0] >= 'A' && owner->data[0] <= 'Z') || ends_with(owner, "iterator") ||
           FIND(core_types, owner->data) || FIND(module_types, owner->data);
}

struct mt_text mt_label_short_name(const struct mt_func *func)
{
    struct mt_text name = func->name;
    uint32_t at = name.n_bytes;
    while (at && name.data[at - 1] != '.')
        at--;
    if (func->kind == MT_FUNC_PYTHON && at < name.n_bytes) {
        name.data += at;
        name.n_bytes -= at;
    }
    return name;
}

static void append(struct mt_buf *out, const struct mt_text *text)
{
    mt_buf_append(out, text->data, text->n_bytes);
}

void mt_label_builtin(const struct mt_func *func, struct mt_buf *out)
{
    bool is_method = func->owner.n_bytes && is_type(&func->owner);
    bool is_new = !strcmp(func->name.data, "__new__");
    if (is_method && !is_new && !FIND(class_methods, func->name.data)) {
        mt_buf_append_text(out, "<method '");
        append(out, &func->name);
        mt_buf_append_text(out, "' of '");
        const struct module_type *type = FIND(module_types, func->owner.data);
        if (type) {
            mt_buf_append_text(out, type->module);
            mt_buf_append_char(out, '.');
        }
        append(out, &func->owner);
        mt_buf_append_text(out, "' objects>");
        return;
    }
    mt_buf_append_text(out, "<built-in method ");
    if (func->owner.n_bytes && (!is_method || is_new)) {
        append(out, &func->owner);
        mt_buf_append_char(out, '.');
    }
    append(out, &func->name);
    mt_buf_append_char(out, '>');
}

void mt_label_put(const struct mt_func *func, struct mt_buf *out)
{
    if (func->kind == MT_FUNC_C) {
        size_t start = out->n_bytes;
        mt_label_builtin(func, out);
        if (!out->failed) {
            out->data[start] = '{';
            out->data[out->n_bytes - 1] = '}';
        }
        return;
    }
    if (func->file.n_bytes) {
        append(out, &func->file);
        mt_buf_append_char(out, ':');
        mt_buf_append_u64(out, func->line);
        mt_buf_append_char(out, '(');
    }
    append(out, &func->name);
    if (func->file.n_bytes)
        mt_buf_append_char(out, ')');
}

void mt_label_put_name(const struct mt_func *func, struct mt_buf *out)
{
    if (func->owner.n_bytes) {
        append(out, &func->owner);
        mt_buf_append_char(out, '.');
    }
    append(out, &func->name);
}
