/* missing.c - what a set of files says of what it does not have. Used by `info` and by the summary of
 * `run`.
 */
#include "cli/cli.h"

static const char *reason_text(uint32_t reason)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = text,
        MT_LOSS_MAP(X)
#undef X
    };
    return reason > 0 && reason < MT_N_LOSSES ? texts[reason] : "the reason is not known";
}

void mt_cli_missing(const struct mt_set *set, const struct mt_process *process,
                    struct mt_missing *out)
{
    uint32_t n_parts = 0;
    *out = (struct mt_missing){.reason = reason_text(MT_LOSS_NONE)};
    for (uint32_t i = 0; i < process->n_files; i++) {
        struct mt_file_info file;
        mt_set_file(set, process->first_file + i, &file);
        out->n_children += file.header->n_unrecorded;
        if (file.header->n_unrecorded > 0)
            out->reason = reason_text(file.header->unrecorded_reason);
        /* Sorted; a number that occurs twice is no reason for others to be missing. */
        if (file.header->part >= n_parts) {
            out->n_parts += file.header->part - n_parts;
            n_parts = file.header->part + 1;
        }
    }
}
