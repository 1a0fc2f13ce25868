/* script_values.c - what the operands of a script stand for. */
#include <string.h>

#include "script.h"

uint64_t script_number(uint8_t operand)
{
    static const uint64_t edges[26] = {
        /* A */ 50,
        /* B */ 63,
        /* C */ 64,
        /* D */ 100,
        /* E */ 255,
        /* F */ 256,
        /* G */ 1000,
        /* H */ 4095,
        /* I */ 4096,
        /* J */ UINT16_MAX,
        /* K */ 1000000,
        /* L */ (UINT64_C(1) << 22) + 1, /* the first synthetic id of a process or thread */
        /* M */ MT_ID_MAX,
        /* N */ (uint64_t)MT_ID_MAX + 1,
        /* O */ 1000000000,
        /* P */ INT32_MAX,
        /* Q */ UINT64_C(1) << 31,
        /* R */ UINT32_MAX,
        /* S */ UINT64_C(1) << 32,
        /* T */ UINT64_C(1) << 40,
        /* U */ UINT64_C(1700000000000000000),
        /* V */ UINT64_C(1) << 62,
        /* W */ INT64_MAX - 1000,
        /* X */ INT64_MAX,
        /* Y */ UINT64_C(1) << 63,
        /* Z */ UINT64_MAX,
    };
    if (operand >= '0' && operand <= '9')
        return operand - '0';
    if (operand >= 'a' && operand <= 'z')
        return operand - 'a' + 10u;
    if (operand >= 'A' && operand <= 'Z')
        return edges[operand - 'A'];
    return UINT64_MAX - (operand & 15); /* small and negative, for whoever adds it */
}

/* A text of `n_bytes` that is made once. */
static struct mt_text long_text(char c, uint32_t n_bytes)
{
    static char x[5001], control[5001];
    char *text = c == 'x' ? x : control;
    memset(text, c, n_bytes);
    return (struct mt_text){text, n_bytes};
}

#define TEXT(literal) ((struct mt_text){literal, sizeof literal - 1})

struct mt_text script_text(uint8_t operand)
{
    static char letters[256][2];
    switch (operand) {
    case '0': return TEXT("");
    case '1': return TEXT("/usr/lib/a.py");
    case '2': return TEXT("b;c d.py");
    case '3': return TEXT("<module>");
    case '4': return TEXT("Base.run.<locals>.work");
    case '5': return TEXT("\"quoted\\");
    case '6': return TEXT("line\nbreak\r\ttab\x01\x1b[31m\x7f");
    case '7': return TEXT("\xff\xfe not \xc3( utf-8 \xed\xa0\x80");
    case '8': return TEXT("\xe2\x82\xac \xf0\x9f\x90\x8d");
    case '9': return TEXT("nul\0inside");
    case 'P': return TEXT("fork_exec"); /* what starts programs: arrows leave there */
    case 'Q': return TEXT("_execute_child");
    case '*': return TEXT("*");
    case '?': return TEXT("?");
    case '[': return TEXT("[!w]*");
    case ']': return TEXT("[");
    case '(': return TEXT("*a*b*c*[a-z]*\\");
    case ')': return TEXT("(events lost)");
    case '/': return TEXT("*.py");
    case 'X': return long_text('x', 5000);
    case 'Y': return long_text('\x02', 5000);
    case 'Z': return long_text('x', 300);
    default: break;
    }
    letters[operand][0] = (char)operand;
    return (struct mt_text){letters[operand], 1};
}
