/* format.c - which sink and which codec a name or a path asks for. Called by cmd_merge.c and
 * cmd_run.c.
 */
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/codec.h"

/* The codec whose suffix is at the end of the text, or NULL; *n_bytes is the text's length, and
 * becomes that without it. */
static const struct mt_codec *take_codec(const char *text, size_t *n_bytes)
{
    for (size_t i = 0; mt_codecs[i]; i++) {
        size_t n = strlen(mt_codecs[i]->suffix);
        if (*n_bytes > n && !memcmp(text + *n_bytes - n, mt_codecs[i]->suffix, n)) {
            *n_bytes -= n;
            return mt_codecs[i];
        }
    }
    return NULL;
}

bool mt_cli_format_of_name(const char *name, struct mt_format *out)
{
    size_t n_bytes = strlen(name);
    *out = (struct mt_format){.codec = take_codec(name, &n_bytes)};
    for (size_t i = 0; mt_sinks[i]; i++) {
        if (strlen(mt_sinks[i]->name) == n_bytes && !memcmp(mt_sinks[i]->name, name, n_bytes))
            out->sink = mt_sinks[i];
    }
    return out->sink;
}

void mt_cli_format_of_path(const char *path, struct mt_format *out)
{
    size_t n_bytes = strlen(path), longest = 0;
    *out = (struct mt_format){.codec = take_codec(path, &n_bytes), .sink = &mt_sink_chrome};
    for (size_t i = 0; mt_sinks[i]; i++) {
        size_t n = strlen(mt_sinks[i]->suffix);
        if (n > longest && n_bytes >= n && !memcmp(path + n_bytes - n, mt_sinks[i]->suffix, n)) {
            longest = n;
            out->sink = mt_sinks[i];
        }
    }
}

void mt_cli_formats_text(struct mt_buf *out)
{
    for (size_t i = 0; mt_sinks[i]; i++)
        mt_buf_printf(out, "  %-16s %-17s %s\n", mt_sinks[i]->name, mt_sinks[i]->suffix,
                      mt_sinks[i]->summary);
    mt_buf_append_text(out, " ");
    for (size_t i = 0; mt_codecs[i]; i++)
        mt_buf_printf(out, "%s %s", i ? " or" : "", mt_codecs[i]->suffix);
    mt_buf_append_text(out, " behind any name or suffix: compressed\n");
}
