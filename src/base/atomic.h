/* atomic.h - the memory orders in use, by name, so that grep lists every one of them.
 *
 * On plain objects (GCC's builtins), because most of them lie in mapped files, where C11's _Atomic
 * types have no business. Each release at a call site names the acquire that it pairs with.
 */
#ifndef MT_BASE_ATOMIC_H_
#define MT_BASE_ATOMIC_H_

#define mt_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define mt_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define mt_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define mt_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define mt_add_relaxed(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define mt_exchange_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define mt_exchange_release(p, v) __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define mt_cas_acquire(p, expected, v)                                                             \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)

#define mt_cas_release(p, expected, v)                                                             \
    __atomic_compare_exchange_n((p), (expected), (v), 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)

/* Keeps the compiler from moving accesses across: for a signal handler, or a fork in one, on this
 * very thread. No instruction. */
#define mt_signal_fence() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* In a loop that waits for another thread. */
#if defined(__x86_64__) || defined(__i386__)
#define mt_cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define mt_cpu_relax() __asm__ volatile("yield")
#else
#define mt_cpu_relax() ((void)0)
#endif

#define MT_LIKELY(x) __builtin_expect(!!(x), 1)
#define MT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* For what is inlined into hot functions and into cold ones: else it may be taken for cold itself. */
#define MT_ALWAYS_INLINE __attribute__((always_inline)) static inline
#define MT_HOT __attribute__((hot))

#endif /* MT_BASE_ATOMIC_H_ */
