/* cadre/macros.h - the machinery behind CADRE_EACH, CADRE_INTO and
 * cadre_submit(): types of expressions, and one thing done for each argument of
 * a macro. Names that end in an underscore are not for users. */
#ifndef CADRE_MACROS_H
#define CADRE_MACROS_H

/* At most this many arguments in CADRE_INTO and cadre_submit(). */
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

/* The cadre_type of one element behind `x`: an array or pointer of T, of arrays
 * of T, of pointers to T, or of strings (char *). A compile error about
 * _Generic means: not a type that Cadre can carry. */
#define CADRE_ELEMENT_TYPE_(x)                                                 \
    _Generic((x)[0], CADRE_TYPES_(CADRE_CASE_ELEMENT_) char                    \
             : CADRE_INTEGER_TYPE_(char), char *                               \
             : CADRE_CHARS_TYPE_(x), const char *                              \
             : CADRE_CHARS_TYPE_(x))
#define CADRE_CASE_ELEMENT_(T, NAME, TYPE)                                     \
    T:                                                                         \
    TYPE, T * : TYPE, const T * : TYPE,

/* char *x[] is an array of strings, char x[][8] one of characters. */
#define CADRE_CHARS_TYPE_(x)                                                   \
    (CADRE_IS_POINTERS_(x) ? CADRE_STRING : CADRE_INTEGER_TYPE_(char))

/* Is `x` an array of pointers (1), not of values or arrays (0)? */
#define CADRE_IS_POINTERS_(x)                                                  \
    _Generic(&(x)[0], CADRE_TYPES_(CADRE_CASE_POINTERS_)                       \
                          CADRE_CASE_POINTERS_(char, char, ) default : 0)
#define CADRE_CASE_POINTERS_(T, NAME, TYPE)                                    \
    T ** : 1, const T ** : 1, T *const * : 1, const T *const * : 1,

/* Bytes behind `x`: of an array all, of a pointer what the compiler knows
 * (SIZE_MAX if nothing). */
#define CADRE_BYTES_(x)                                                        \
    (__builtin_types_compatible_p(__typeof__(x), __typeof__(&(x)[0]))          \
         ? __builtin_object_size((x), 1)                                       \
         : sizeof(x))

/* `x` as a struct cadre_value. */
#define CADRE_VALUE_(x)                                                        \
    (_Generic((x), CADRE_TYPES_(CADRE_CASE_BOX_) char                          \
              : cadre_box_char, char *                                         \
              : cadre_box_string, const char *                                 \
              : cadre_box_string, struct cadre_function *                      \
              : cadre_box_function, struct cadre_value                         \
              : cadre_value_identity)(x))
#define CADRE_CASE_BOX_(T, NAME, TYPE)                                         \
    T:                                                                         \
    cadre_box_##NAME, T * : cadre_box_##NAME##_array,                          \
                            const T * : cadre_box_##NAME##_array,

#endif
