/* symbols.h - code addresses to the names and lines a programmer knows.
 *
 * The one module that knows elfutils' libdw. It allocates and reads files, so
 * that a process whose heap cannot be trusted calls it in a child (trap.h).
 */
#ifndef CADRE_RUNTIME_SYMBOLS_H
#define CADRE_RUNTIME_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write one line for each of `count` code addresses of process `pid` (this one
 * or another of the same user, alive) to `text`, cut at a line's end to fit
 * `size` bytes, innermost first:
 *
 *     #0 solve (solver.c:88)            with debug information
 *     #1 step+0x1f (libmodel.so)        with a symbol table only
 *     #2 0x7f31c0de (libmodel.so)       with neither
 *
 * The first address is where the process was, the others are return
 * addresses. Inlined functions have lines of their own; equal lines that follow
 * each other (recursion) become one. What led from libffi outwards is left
 * out, and so is how abort() comes to its signal.
 *
 * false: nothing is known about the process; `text` is empty then.
 */
bool cadre_symbols_write(int32_t pid, const uintptr_t *addresses, size_t count,
                         char *text, size_t size);

#endif
