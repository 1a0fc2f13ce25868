/* text.c - numbers as people read them. Used by the commands. */
#include "cli/cli.h"

const char *mt_cli_bytes_text(uint64_t n_bytes, char *text, size_t size)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double value = (double)n_bytes;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    snprintf(text, size, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
             n_bytes == 1 ? "byte" : units[unit]);
    return text;
}

const char *mt_cli_count_text(uint64_t n, char *text, size_t size)
{
    char digits[32];
    int n_digits = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < n_digits && at + 2 < size; i++) {
        if (i && (n_digits - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *mt_cli_duration_text(uint64_t dur_ns, char *text, size_t size)
{
    if (dur_ns < 1000)
        snprintf(text, size, "%llu ns", (unsigned long long)dur_ns);
    else if (dur_ns < 1000000)
        snprintf(text, size, "%.3g us", (double)dur_ns / 1e3);
    else if (dur_ns < 1000000000)
        snprintf(text, size, "%.3g ms", (double)dur_ns / 1e6);
    else
        snprintf(text, size, "%.3f s", (double)dur_ns / 1e9);
    return text;
}
