/* cpu.h - what the processor can do beyond what every processor of its kind can.
 *
 * By hand and not by __builtin_cpu_supports, whose part of libgcc gold does not find with -flto.
 */
#ifndef MT_BASE_CPU_H_
#define MT_BASE_CPU_H_

#include <stdbool.h>

#ifdef __x86_64__
#include <cpuid.h>

/* Registers of 32 bytes, which the system saves, too. */
static inline bool mt_cpu_has_avx2(void)
{
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return false;
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    return (saved & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_AVX2;
}
#else
static inline bool mt_cpu_has_avx2(void)
{
    return false;
}
#endif

#endif /* MT_BASE_CPU_H_ */
