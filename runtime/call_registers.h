/* call_registers.h - calls all of whose arguments travel in registers.
 *
 * libffi decides anew with every call where each argument goes, which takes
 * longer than a small task. Where registers alone carry them this is decided
 * once, and the call is a call.
 */
#ifndef CADRE_RUNTIME_CALL_REGISTERS_H
#define CADRE_RUNTIME_CALL_REGISTERS_H

#include "call.h"

enum { CADRE_REGISTERS_INTEGER = 6, CADRE_REGISTERS_REAL = 8 };

/* One argument: which parameter it is, and how to widen it. */
struct cadre_register {
    uint8_t param;
    uint8_t type; /* cadre_type; CADRE_STRING for any pointer */
};

/* Where the arguments of a prototype go. */
struct cadre_registers {
    uint8_t nintegers, nreals;
    uint8_t result_size; /* bytes; 0: void */
    bool is_result_real;
    struct cadre_register integers[CADRE_REGISTERS_INTEGER];
    struct cadre_register reals[CADRE_REGISTERS_REAL];
};

/* Can functions of `proto` be called so on this machine? Then how. */
bool cadre_registers_plan(const struct cadre_proto *proto,
                          struct cadre_registers *plan);

/* Call `fn`; `args` and `result` as for cadre_call_invoke(). Thread-safe. */
void cadre_registers_invoke(const struct cadre_registers *plan,
                            cadre_symbol_fn fn, void *const *args,
                            void *result);

#endif
