/* call_registers.c - see call_registers.h.
 *
 * Source: System V Application Binary Interface, AMD64 Architecture Processor
 * Supplement, 3.2.3 "Parameter Passing". Integers and pointers take six general
 * registers in the order of the parameters, floats and doubles eight vector
 * registers in theirs, whatever stands between; results come back in the first
 * return register of their class. So one call with all fourteen loaded fits
 * every function whose parameters do not need more: it looks at none of the
 * others. What is narrower than a register is widened to it, as compilers do
 * for each other; of a float the lower half of its register is read.
 */
#include "call_registers.h"

#include <string.h>

#if defined __x86_64__ && !defined __ILP32__
enum { HAS_REGISTERS = 1 };
#else
enum { HAS_REGISTERS = 0 };
#endif

static bool is_real(cadre_type type)
{
    return type == CADRE_FLOAT || type == CADRE_DOUBLE;
}

/* Does a value of this type, `of` being its struct, fit one register? */
static bool fits(cadre_type type, const struct cadre_struct *of)
{
    return of == NULL && (cadre_type_is_integer(type) || is_real(type) ||
                          type == CADRE_STRING);
}

static bool add(struct cadre_registers *plan, int param, cadre_type type)
{
    struct cadre_register r = {.param = (uint8_t)param, .type = (uint8_t)type};

    if (is_real(type) && plan->nreals < CADRE_REGISTERS_REAL)
        plan->reals[plan->nreals++] = r;
    else if (!is_real(type) && plan->nintegers < CADRE_REGISTERS_INTEGER)
        plan->integers[plan->nintegers++] = r;
    else
        return false;
    return true;
}

bool cadre_registers_plan(const struct cadre_proto *proto,
                          struct cadre_registers *plan)
{
    *plan = (struct cadre_registers){
        .result_size = (uint8_t)cadre_type_size(proto->result),
        .is_result_real = is_real(proto->result)};
    if (!HAS_REGISTERS ||
        (proto->result != CADRE_VOID && !fits(proto->result, proto->result_of)))
        return false;
    for (int i = 0; i < proto->nparams; i++) {
        const struct cadre_param *p = &proto->params[i];
        bool is_value = p->kind == CADRE_PARAM_SCALAR;

        if ((is_value && !fits(p->type, p->of)) ||
            !add(plan, i, is_value ? p->type : CADRE_STRING))
            return false;
    }
    return true;
}

/* --- loading -------------------------------------------------------------- */

/* Copied out, as elsewhere: a value need not be aligned, nor the byte of a bool
 * be 0 or 1. */
#define WIDEN(T)                                                               \
    do {                                                                       \
        T x_;                                                                  \
        memcpy(&x_, value, sizeof x_);                                         \
        return (uint64_t)x_;                                                   \
    } while (0)

static uint64_t load_integer(const void *value, cadre_type type)
{
    switch (type) {
    case CADRE_BOOL:
        return *(const unsigned char *)value != 0;
    case CADRE_INT8:
        WIDEN(int8_t);
    case CADRE_UINT8:
        WIDEN(uint8_t);
    case CADRE_INT16:
        WIDEN(int16_t);
    case CADRE_UINT16:
        WIDEN(uint16_t);
    case CADRE_INT32:
        WIDEN(int32_t);
    case CADRE_UINT32:
        WIDEN(uint32_t);
    default: /* or a pointer */
        WIDEN(uint64_t);
    }
}

/* A float is the lower half of what is loaded. */
static double load_real(const void *value, cadre_type type)
{
    double register_ = 0;

    memcpy(&register_, value,
           type == CADRE_FLOAT ? sizeof(float) : sizeof(double));
    return register_;
}

/* --- calling -------------------------------------------------------------- */

/* With dots, as a function that has them is told how many vector registers are
 * loaded; to others it makes no difference. */
typedef uint64_t (*integer_fn)(uint64_t, ...);
typedef double (*real_fn)(uint64_t, ...);

#define GIVE_INTEGERS i[0], i[1], i[2], i[3], i[4], i[5]
#define GIVE_REALS r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]

/* A register's worth of result becomes one of its type. The machine keeps the
 * lowest byte first. */
static void narrow(uint64_t value, uint8_t size, void *result)
{
    switch (size) {
    case 1:
        memcpy(result, &value, 1);
        return;
    case 2:
        memcpy(result, &value, 2);
        return;
    case 4:
        memcpy(result, &value, 4);
        return;
    case 8:
        memcpy(result, &value, 8);
        return;
    }
}

void cadre_registers_invoke(const struct cadre_registers *plan,
                            cadre_symbol_fn fn, void *const *args, void *result)
{
    uint64_t i[CADRE_REGISTERS_INTEGER] = {0}, value;
    double r[CADRE_REGISTERS_REAL] = {0}, real;

    for (int k = 0; k < plan->nintegers; k++)
        i[k] = load_integer(args[plan->integers[k].param],
                            (cadre_type)plan->integers[k].type);
    for (int k = 0; k < plan->nreals; k++)
        r[k] = load_real(args[plan->reals[k].param],
                         (cadre_type)plan->reals[k].type);
    if (plan->is_result_real) {
        real = ((real_fn)fn)(GIVE_INTEGERS, GIVE_REALS);
        memcpy(&value, &real, sizeof value);
    } else if (plan->nreals > 0) {
        value = ((integer_fn)fn)(GIVE_INTEGERS, GIVE_REALS);
    } else {
        value = ((integer_fn)fn)(GIVE_INTEGERS);
    }
    narrow(value, plan->result_size, result);
}
