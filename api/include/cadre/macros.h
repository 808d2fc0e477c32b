/* cadre/macros.h - the machinery behind CADRE_EACH, CADRE_INTO and
 * cadre_submit(): types of expressions, and one thing done for each argument of
 * a macro. Names that end in an underscore are not for users. */
#ifndef CADRE_MACROS_H
#define CADRE_MACROS_H

/* At most this many arguments in CADRE_INTO, and in cadre_submit() with the
 * function. */
#define CADRE_MACRO_ARGS_MAX 40

/* How many arguments (1 to 40). */
#define CADRE_COUNT_(...)                                                      \
    CADRE_PICK_(__VA_ARGS__, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29,   \
                28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,    \
                13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define CADRE_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13,    \
                    a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, a24,     \
                    a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35,     \
                    a36, a37, a38, a39, a40, n, ...)                           \
    n

/* f(a) f(b) ... for each argument. */
#define CADRE_FOR_EACH_(f, ...)                                                \
    CADRE_CAT_(CADRE_EACH_, CADRE_COUNT_(__VA_ARGS__))(f, __VA_ARGS__)
#define CADRE_CAT_(a, b) CADRE_CAT2_(a, b)
#define CADRE_CAT2_(a, b) a##b
#define CADRE_EACH_1(f, x) f(x)
#define CADRE_EACH_2(f, x, ...) f(x) CADRE_EACH_1(f, __VA_ARGS__)
#define CADRE_EACH_3(f, x, ...) f(x) CADRE_EACH_2(f, __VA_ARGS__)
#define CADRE_EACH_4(f, x, ...) f(x) CADRE_EACH_3(f, __VA_ARGS__)
#define CADRE_EACH_5(f, x, ...) f(x) CADRE_EACH_4(f, __VA_ARGS__)
#define CADRE_EACH_6(f, x, ...) f(x) CADRE_EACH_5(f, __VA_ARGS__)
#define CADRE_EACH_7(f, x, ...) f(x) CADRE_EACH_6(f, __VA_ARGS__)
#define CADRE_EACH_8(f, x, ...) f(x) CADRE_EACH_7(f, __VA_ARGS__)
#define CADRE_EACH_9(f, x, ...) f(x) CADRE_EACH_8(f, __VA_ARGS__)
#define CADRE_EACH_10(f, x, ...) f(x) CADRE_EACH_9(f, __VA_ARGS__)
#define CADRE_EACH_11(f, x, ...) f(x) CADRE_EACH_10(f, __VA_ARGS__)
#define CADRE_EACH_12(f, x, ...) f(x) CADRE_EACH_11(f, __VA_ARGS__)
#define CADRE_EACH_13(f, x, ...) f(x) CADRE_EACH_12(f, __VA_ARGS__)
#define CADRE_EACH_14(f, x, ...) f(x) CADRE_EACH_13(f, __VA_ARGS__)
#define CADRE_EACH_15(f, x, ...) f(x) CADRE_EACH_14(f, __VA_ARGS__)
#define CADRE_EACH_16(f, x, ...) f(x) CADRE_EACH_15(f, __VA_ARGS__)
#define CADRE_EACH_17(f, x, ...) f(x) CADRE_EACH_16(f, __VA_ARGS__)
#define CADRE_EACH_18(f, x, ...) f(x) CADRE_EACH_17(f, __VA_ARGS__)
#define CADRE_EACH_19(f, x, ...) f(x) CADRE_EACH_18(f, __VA_ARGS__)
#define CADRE_EACH_20(f, x, ...) f(x) CADRE_EACH_19(f, __VA_ARGS__)
#define CADRE_EACH_21(f, x, ...) f(x) CADRE_EACH_20(f, __VA_ARGS__)
#define CADRE_EACH_22(f, x, ...) f(x) CADRE_EACH_21(f, __VA_ARGS__)
#define CADRE_EACH_23(f, x, ...) f(x) CADRE_EACH_22(f, __VA_ARGS__)
#define CADRE_EACH_24(f, x, ...) f(x) CADRE_EACH_23(f, __VA_ARGS__)
#define CADRE_EACH_25(f, x, ...) f(x) CADRE_EACH_24(f, __VA_ARGS__)
#define CADRE_EACH_26(f, x, ...) f(x) CADRE_EACH_25(f, __VA_ARGS__)
#define CADRE_EACH_27(f, x, ...) f(x) CADRE_EACH_26(f, __VA_ARGS__)
#define CADRE_EACH_28(f, x, ...) f(x) CADRE_EACH_27(f, __VA_ARGS__)
#define CADRE_EACH_29(f, x, ...) f(x) CADRE_EACH_28(f, __VA_ARGS__)
#define CADRE_EACH_30(f, x, ...) f(x) CADRE_EACH_29(f, __VA_ARGS__)
#define CADRE_EACH_31(f, x, ...) f(x) CADRE_EACH_30(f, __VA_ARGS__)
#define CADRE_EACH_32(f, x, ...) f(x) CADRE_EACH_31(f, __VA_ARGS__)
#define CADRE_EACH_33(f, x, ...) f(x) CADRE_EACH_32(f, __VA_ARGS__)
#define CADRE_EACH_34(f, x, ...) f(x) CADRE_EACH_33(f, __VA_ARGS__)
#define CADRE_EACH_35(f, x, ...) f(x) CADRE_EACH_34(f, __VA_ARGS__)
#define CADRE_EACH_36(f, x, ...) f(x) CADRE_EACH_35(f, __VA_ARGS__)
#define CADRE_EACH_37(f, x, ...) f(x) CADRE_EACH_36(f, __VA_ARGS__)
#define CADRE_EACH_38(f, x, ...) f(x) CADRE_EACH_37(f, __VA_ARGS__)
#define CADRE_EACH_39(f, x, ...) f(x) CADRE_EACH_38(f, __VA_ARGS__)
#define CADRE_EACH_40(f, x, ...) f(x) CADRE_EACH_39(f, __VA_ARGS__)

#define CADRE_STRING_(...) CADRE_STRING2_(__VA_ARGS__)
#define CADRE_STRING2_(...) #__VA_ARGS__

/* The cadre_type of the integer type `T`. */
#define CADRE_INTEGER_TYPE_(T)                                                 \
    ((cadre_type)((T)-1 < (T)1 ? CADRE_BY_SIZE_(T, CADRE_INT)                  \
                               : CADRE_BY_SIZE_(T, CADRE_UINT)))
#define CADRE_BY_SIZE_(T, PREFIX)                                              \
    (sizeof(T) == 1   ? PREFIX##8                                              \
     : sizeof(T) == 2 ? PREFIX##16                                             \
     : sizeof(T) == 4 ? PREFIX##32                                             \
                      : PREFIX##64)

/* Every type that travels but char: ROW(type, its word, its cadre_type). A char
 * is a number, a char * a string: each user of the table says so itself. */
#define CADRE_TYPES_(ROW)                                                      \
    ROW(_Bool, bool, CADRE_BOOL)                                               \
    ROW(signed char, schar, CADRE_INTEGER_TYPE_(signed char))                  \
    ROW(unsigned char, uchar, CADRE_INTEGER_TYPE_(unsigned char))              \
    ROW(short, short, CADRE_INTEGER_TYPE_(short))                              \
    ROW(unsigned short, ushort, CADRE_INTEGER_TYPE_(unsigned short))           \
    ROW(int, int, CADRE_INTEGER_TYPE_(int))                                    \
    ROW(unsigned, uint, CADRE_INTEGER_TYPE_(unsigned))                         \
    ROW(long, long, CADRE_INTEGER_TYPE_(long))                                 \
    ROW(unsigned long, ulong, CADRE_INTEGER_TYPE_(unsigned long))              \
    ROW(long long, llong, CADRE_INTEGER_TYPE_(long long))                      \
    ROW(unsigned long long, ullong, CADRE_INTEGER_TYPE_(unsigned long long))   \
    ROW(float, float, CADRE_FLOAT)                                             \
    ROW(double, double, CADRE_DOUBLE)                                          \
    ROW(long double, ldouble, CADRE_LONG_DOUBLE)                               \
    ROW(float _Complex, cfloat, CADRE_FLOAT_COMPLEX)                           \
    ROW(double _Complex, cdouble, CADRE_DOUBLE_COMPLEX)                        \
    ROW(long double _Complex, cldouble, CADRE_LONG_DOUBLE_COMPLEX)

/* The cadre_type of the scalar expression `e`. */
#define CADRE_TYPE_OF_(e)                                                      \
    _Generic((e), CADRE_TYPES_(CADRE_CASE_TYPE_) char                          \
             : CADRE_INTEGER_TYPE_(char))
#define CADRE_CASE_TYPE_(T, NAME, TYPE)                                        \
    T:                                                                         \
    TYPE,

/* `e`, or what it points to or is an array of. */
#define CADRE_STEP_(e)                                                         \
    (__builtin_choose_expr(__builtin_classify_type(e) == 5, (e),               \
                           (__typeof__(e) *)0)[0])

/* One element behind `x`, never evaluated: an array or pointer of T, of arrays
 * of T (up to 8 dimensions), or of pointers to T. Inside functions only. */
#define CADRE_ELEMENT_(x)                                                      \
    (*__extension__({                                                          \
        __typeof__((x)[0]) *cadre_e0_ = 0;                                     \
        __typeof__(CADRE_STEP_(*cadre_e0_)) *cadre_e1_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e1_)) *cadre_e2_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e2_)) *cadre_e3_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e3_)) *cadre_e4_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e4_)) *cadre_e5_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e5_)) *cadre_e6_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e6_)) *cadre_e7_ = 0;                    \
        __typeof__(CADRE_STEP_(*cadre_e7_)) *cadre_e8_ = 0;                    \
        cadre_e8_;                                                             \
    }))

/* Its cadre_type. A compile error about _Generic means: not a type that Cadre
 * can carry. */
#define CADRE_ELEMENT_TYPE_(x)                                                 \
    _Generic(CADRE_STRUCT_TO_(CADRE_ELEMENT_(x), (struct cadre_any_ *)0),      \
             CADRE_TYPES_(CADRE_CASE_TYPE_) char                               \
             : CADRE_CHARS_TYPE_(x), struct cadre_any_ *                       \
             : CADRE_AGGREGATE)

/* `other` if `e` is a struct, else `e`. */
#define CADRE_STRUCT_TO_(e, other)                                             \
    __builtin_choose_expr(__builtin_classify_type(e) == 12, (other), (e))

/* char *x[] is an array of strings, char x[][8] one of characters. */
#define CADRE_CHARS_TYPE_(x)                                                   \
    (CADRE_IS_POINTERS_(x) ? CADRE_STRING : CADRE_INTEGER_TYPE_(char))

/* Is `x` an array of pointers (1), not of values or arrays (0)? */
#define CADRE_IS_POINTERS_(x)                                                  \
    (__builtin_classify_type((x)[0]) == 5 &&                                   \
     __builtin_types_compatible_p(__typeof__((x)[0]),                          \
                                  __typeof__(&CADRE_STEP_((x)[0]))))

/* Bytes behind `x`: of an array all, of a pointer what the compiler knows
 * (SIZE_MAX if nothing). By its type, as compilers warn of sizeof a parameter
 * that is written as an array. */
#define CADRE_BYTES_(x)                                                        \
    (__builtin_types_compatible_p(__typeof__(x), __typeof__(&(x)[0]))          \
         ? __builtin_object_size((x), 1)                                       \
         : sizeof(__typeof__(x)))

/* `x` as a struct cadre_value; a struct lives as long as the block around. */
#define CADRE_VALUE_(x)                                                        \
    (_Generic((x), CADRE_TYPES_(CADRE_CASE_BOX_) char                          \
              : cadre_box_char, char *                                         \
              : cadre_box_string, const char *                                 \
              : cadre_box_string, struct cadre_function *                      \
              : cadre_box_function, struct cadre_future *                      \
              : cadre_box_future, struct cadre_value                           \
              : cadre_value_identity, default                                  \
              : cadre_box_struct)(__builtin_choose_expr(                       \
        CADRE_IS_STRUCT_(x), CADRE_STRUCT_BEHIND_(x), (x))))

/* A struct of the user's own. */
#define CADRE_IS_STRUCT_(x)                                                    \
    _Generic((x), struct cadre_value : 0, default                              \
             : __builtin_classify_type(x) == 12)
#define CADRE_STRUCT_OR_0_(x) __builtin_choose_expr(CADRE_IS_STRUCT_(x), (x), 0)
#define CADRE_STRUCT_BEHIND_(x)                                                \
    ((struct cadre_struct_behind_){                                            \
        (const __typeof__(CADRE_STRUCT_OR_0_(x))[1]){CADRE_STRUCT_OR_0_(x)},   \
        sizeof(CADRE_STRUCT_OR_0_(x))})
#define CADRE_CASE_BOX_(T, NAME, TYPE)                                         \
    T:                                                                         \
    cadre_box_##NAME, T * : cadre_box_##NAME##_array,                          \
                            const T * : cadre_box_##NAME##_array,

#endif
