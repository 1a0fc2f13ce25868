/* env.h - the environment variables by which `mtrace run`, or mtrace.Tracer, reaches the
 * interpreters that a program starts. Read by the boot code (src/python/boot), written by
 * src/cli/cmd_run.c and the Python face. Variables that are missing or make no sense mean: do not
 * record, and do not complain.
 */
#ifndef MTRACE_ENV_H_
#define MTRACE_ENV_H_

/* Absolute path of the directory that gets the trace files. Unset or empty: do not record. */
#define MT_ENV_DIR "MTRACE_DIR"
/* Absolute path of the home: the directory with boot/ and mtrace/. boot/ is first on PYTHONPATH. */
#define MT_ENV_HOME "MTRACE_HOME"
/* 32 hexadecimal digits: header.run_id. */
#define MT_ENV_RUN "MTRACE_RUN"
/* 32 hexadecimal digits: file_id of the interpreter that set it last, header.parent_id of its
 * children that are not made by fork. Not set by `run`. */
#define MT_ENV_PARENT "MTRACE_PARENT"
/* Words with commas in between; unknown ones are ignored. "no-c": no C functions.
 * "all-calls": what CPython does not tell profilers of, too. "engine=NAME": the engine, or auto. */
#define MT_ENV_OPTIONS "MTRACE_OPTIONS"

/* An interpreter that meets the boot code but cannot be recorded leaves PROGRAM.PID.untraced in
 * the directory, one sentence that says why. */
#define MT_UNTRACED_SUFFIX ".untraced"

#endif /* MTRACE_ENV_H_ */
