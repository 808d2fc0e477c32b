/* bytes.h - numbers of fixed width at any address, little-endian. */
#ifndef CADRE_RUNTIME_BYTES_H
#define CADRE_RUNTIME_BYTES_H

#include <stdint.h>

/* Written byte by byte; compilers make one instruction of each. */
static inline void cadre_put_u16(unsigned char *at, uint16_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static inline void cadre_put_u32(unsigned char *at, uint32_t value)
{
    cadre_put_u16(at, (uint16_t)value);
    cadre_put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void cadre_put_u64(unsigned char *at, uint64_t value)
{
    cadre_put_u32(at, (uint32_t)value);
    cadre_put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t cadre_get_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t cadre_get_u32(const unsigned char *at)
{
    return cadre_get_u16(at) | (uint32_t)cadre_get_u16(at + 2) << 16;
}

static inline uint64_t cadre_get_u64(const unsigned char *at)
{
    return cadre_get_u32(at) | (uint64_t)cadre_get_u32(at + 4) << 32;
}

#endif
