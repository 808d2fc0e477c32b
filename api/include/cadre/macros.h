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
    ((cadre_type)((T)-1 < (T)1 ? (sizeof(T) == 1   ? CADRE_INT8                \
                                  : sizeof(T) == 2 ? CADRE_INT16               \
                                  : sizeof(T) == 4 ? CADRE_INT32               \
                                                   : CADRE_INT64)              \
                               : (sizeof(T) == 1   ? CADRE_UINT8               \
                                  : sizeof(T) == 2 ? CADRE_UINT16              \
                                  : sizeof(T) == 4 ? CADRE_UINT32              \
                                                   : CADRE_UINT64)))

/* The cadre_type of the scalar expression `e`. */
#define CADRE_TYPE_OF_(e)                                                      \
    _Generic((e), _Bool                                                        \
             : CADRE_BOOL, char                                                \
             : CADRE_INTEGER_TYPE_(char), signed char                          \
             : CADRE_INTEGER_TYPE_(signed char), unsigned char                 \
             : CADRE_INTEGER_TYPE_(unsigned char), short                       \
             : CADRE_INTEGER_TYPE_(short), unsigned short                      \
             : CADRE_INTEGER_TYPE_(unsigned short), int                        \
             : CADRE_INTEGER_TYPE_(int), unsigned                              \
             : CADRE_INTEGER_TYPE_(unsigned), long                             \
             : CADRE_INTEGER_TYPE_(long), unsigned long                        \
             : CADRE_INTEGER_TYPE_(unsigned long), long long                   \
             : CADRE_INTEGER_TYPE_(long long), unsigned long long              \
             : CADRE_INTEGER_TYPE_(unsigned long long), float                  \
             : CADRE_FLOAT, double                                             \
             : CADRE_DOUBLE, long double                                       \
             : CADRE_LONG_DOUBLE, float _Complex                               \
             : CADRE_FLOAT_COMPLEX, double _Complex                            \
             : CADRE_DOUBLE_COMPLEX, long double _Complex                      \
             : CADRE_LONG_DOUBLE_COMPLEX)

/* The cadre_type of one element behind `x`: an array or pointer of T, of
 * arrays of T, of pointers to T, or of strings (char *). A compile error that
 * names no match in _Generic means: not a type that Cadre can carry. */
#define CADRE_ELEMENT_TYPE_(x)                                                 \
    _Generic((x)[0], _Bool: CADRE_BOOL, char: CADRE_INTEGER_TYPE_(char), signed char: CADRE_INTEGER_TYPE_(signed char), unsigned char: CADRE_INTEGER_TYPE_(unsigned char), short: CADRE_INTEGER_TYPE_(short), unsigned short: CADRE_INTEGER_TYPE_(unsigned short), int: CADRE_INTEGER_TYPE_(int), unsigned: CADRE_INTEGER_TYPE_(unsigned), long: CADRE_INTEGER_TYPE_(long), unsigned long: CADRE_INTEGER_TYPE_(unsigned long), long long: CADRE_INTEGER_TYPE_(long long), unsigned long long: CADRE_INTEGER_TYPE_(unsigned long long), float: CADRE_FLOAT, double: CADRE_DOUBLE, long double: CADRE_LONG_DOUBLE, float _Complex: CADRE_FLOAT_COMPLEX, double _Complex: CADRE_DOUBLE_COMPLEX, long double _Complex: CADRE_LONG_DOUBLE_COMPLEX, _Bool *: CADRE_BOOL, const _Bool *: CADRE_BOOL, char *: CADRE_CHARS_TYPE_(x), const char *: CADRE_CHARS_TYPE_(x), signed char *: CADRE_INTEGER_TYPE_(signed char), const signed char *: CADRE_INTEGER_TYPE_(signed char), unsigned char *: CADRE_INTEGER_TYPE_(unsigned char), const unsigned char *: CADRE_INTEGER_TYPE_(unsigned char), short *: CADRE_INTEGER_TYPE_(short), const short *: CADRE_INTEGER_TYPE_(short), unsigned short *: CADRE_INTEGER_TYPE_(unsigned short), const unsigned short *: CADRE_INTEGER_TYPE_(unsigned short), int *: CADRE_INTEGER_TYPE_(int), const int *: CADRE_INTEGER_TYPE_(int), unsigned *: CADRE_INTEGER_TYPE_(unsigned), const unsigned *: CADRE_INTEGER_TYPE_(unsigned), long *: CADRE_INTEGER_TYPE_(long), const long *: CADRE_INTEGER_TYPE_(long), unsigned long *: CADRE_INTEGER_TYPE_(unsigned long), const unsigned long *: CADRE_INTEGER_TYPE_(unsigned long), long long *: CADRE_INTEGER_TYPE_(long long), const long long *: CADRE_INTEGER_TYPE_(long long), unsigned long long *: CADRE_INTEGER_TYPE_(unsigned long long), const unsigned long long *: CADRE_INTEGER_TYPE_(unsigned long long), float *: CADRE_FLOAT, const float *: CADRE_FLOAT, double *: CADRE_DOUBLE, const double *: CADRE_DOUBLE, long double *: CADRE_LONG_DOUBLE, const long double *: CADRE_LONG_DOUBLE, float _Complex *: CADRE_FLOAT_COMPLEX, const float _Complex *: CADRE_FLOAT_COMPLEX, double _Complex *: CADRE_DOUBLE_COMPLEX, const double _Complex *: CADRE_DOUBLE_COMPLEX, long double _Complex *: CADRE_LONG_DOUBLE_COMPLEX, const long double _Complex *: CADRE_LONG_DOUBLE_COMPLEX)

/* char *x[] is an array of strings, char x[][8] one of characters. */
#define CADRE_CHARS_TYPE_(x)                                                   \
    (CADRE_IS_POINTERS_(x) ? CADRE_STRING : CADRE_INTEGER_TYPE_(char))

/* Is `x` an array of pointers (1), not of values or arrays (0)? */
#define CADRE_IS_POINTERS_(x)                                                  \
    _Generic(&(x)[0], _Bool * * : 1, const _Bool ** : 1, _Bool *const * : 1,   \
             const _Bool *const * : 1, char ** : 1, const char ** : 1,         \
             char *const * : 1, const char *const * : 1, signed char ** : 1,   \
             const signed char ** : 1, signed char *const * : 1,               \
             const signed char *const * : 1, unsigned char ** : 1,             \
             const unsigned char ** : 1, unsigned char *const * : 1,           \
             const unsigned char *const * : 1, short ** : 1,                   \
             const short ** : 1, short *const * : 1, const short *const * : 1, \
             unsigned short ** : 1, const unsigned short ** : 1,               \
             unsigned short *const * : 1, const unsigned short *const * : 1,   \
             int ** : 1, const int ** : 1, int *const * : 1,                   \
             const int *const * : 1, unsigned ** : 1, const unsigned ** : 1,   \
             unsigned *const * : 1, const unsigned *const * : 1, long ** : 1,  \
             const long ** : 1, long *const * : 1, const long *const * : 1,    \
             unsigned long ** : 1, const unsigned long ** : 1,                 \
             unsigned long *const * : 1, const unsigned long *const * : 1,     \
             long long ** : 1, const long long ** : 1, long long *const * : 1, \
             const long long *const * : 1, unsigned long long ** : 1,          \
             const unsigned long long ** : 1, unsigned long long *const * : 1, \
             const unsigned long long *const * : 1, float ** : 1,              \
             const float ** : 1, float *const * : 1, const float *const * : 1, \
             double ** : 1, const double ** : 1, double *const * : 1,          \
             const double *const * : 1, long double ** : 1,                    \
             const long double ** : 1, long double *const * : 1,               \
             const long double *const * : 1, float _Complex ** : 1,            \
             const float _Complex ** : 1, float _Complex *const * : 1,         \
             const float _Complex *const * : 1, double _Complex ** : 1,        \
             const double _Complex ** : 1, double _Complex *const * : 1,       \
             const double _Complex *const * : 1, long double _Complex ** : 1,  \
             const long double _Complex ** : 1,                                \
             long double _Complex *const * : 1,                                \
             const long double _Complex *const * : 1, default : 0)

/* Bytes behind `x`: of an array all, of a pointer what the compiler knows
 * (SIZE_MAX if nothing). */
#define CADRE_BYTES_(x)                                                        \
    (__builtin_types_compatible_p(__typeof__(x), __typeof__(&(x)[0]))          \
         ? __builtin_object_size((x), 1)                                       \
         : sizeof(x))

/* `x` as a struct cadre_value. */
#define CADRE_VALUE_(x)                                                        \
    (_Generic((x), _Bool: cadre_box_bool, char: cadre_box_char, signed char: cadre_box_schar, unsigned char: cadre_box_uchar, short: cadre_box_short, unsigned short: cadre_box_ushort, int: cadre_box_int, unsigned: cadre_box_uint, long: cadre_box_long, unsigned long: cadre_box_ulong, long long: cadre_box_llong, unsigned long long: cadre_box_ullong, float: cadre_box_float, double: cadre_box_double, long double: cadre_box_ldouble, float _Complex: cadre_box_cfloat, double _Complex: cadre_box_cdouble, long double _Complex: cadre_box_cldouble, char *: cadre_box_string, const char *: cadre_box_string, _Bool *: cadre_box_bool_array, const _Bool *: cadre_box_bool_array, signed char *: cadre_box_schar_array, const signed char *: cadre_box_schar_array, unsigned char *: cadre_box_uchar_array, const unsigned char *: cadre_box_uchar_array, short *: cadre_box_short_array, const short *: cadre_box_short_array, unsigned short *: cadre_box_ushort_array, const unsigned short *: cadre_box_ushort_array, int *: cadre_box_int_array, const int *: cadre_box_int_array, unsigned *: cadre_box_uint_array, const unsigned *: cadre_box_uint_array, long *: cadre_box_long_array, const long *: cadre_box_long_array, unsigned long *: cadre_box_ulong_array, const unsigned long *: cadre_box_ulong_array, long long *: cadre_box_llong_array, const long long *: cadre_box_llong_array, unsigned long long *: cadre_box_ullong_array, const unsigned long long *: cadre_box_ullong_array, float *: cadre_box_float_array, const float *: cadre_box_float_array, double *: cadre_box_double_array, const double *: cadre_box_double_array, long double *: cadre_box_ldouble_array, const long double *: cadre_box_ldouble_array, float _Complex *: cadre_box_cfloat_array, const float _Complex *: cadre_box_cfloat_array, double _Complex *: cadre_box_cdouble_array, const double _Complex *: cadre_box_cdouble_array, long double _Complex *: cadre_box_cldouble_array, const long double _Complex *: cadre_box_cldouble_array, struct cadre_function *: cadre_box_function, struct cadre_value: cadre_value_identity)(x))

#endif
