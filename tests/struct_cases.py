#!/usr/bin/env python3
"""Writes struct_cases.h: structs of all kinds, as C and as text, for test_struct.c.

For each struct the compiler's own size and offsets, a function that fills one,
one that checks it, and one that takes it behind other parameters and returns
it. The same seed gives the same structs.
"""
import random
import sys

NUMBERS = ['bool', 'char', 'int8_t', 'uint8_t', 'short', 'unsigned short', 'int', 'uint32_t', 'long',
           'unsigned long long', 'size_t', 'float', 'double', 'long double', 'float complex', 'double complex',
           'long double complex']
SMALL = ['char', 'int8_t', 'short', 'int', 'float', 'float', 'double', 'double', 'long', 'float complex']
BEFORE = ['int', 'double', 'float', 'long', 'long double', 'int8_t', 'double complex']


class Struct:
    def __init__(self, name, fields):
        self.name, self.fields = name, fields  # (type, name, [dims]); a type is text or a Struct

    def depth(self):
        return 1 + max((t.depth() for t, _, _ in self.fields if isinstance(t, Struct)), default=0)

    def leaves(self, prefix):
        for kind, name, dims in self.fields:
            names = [f'{prefix}{name}']
            for dim in dims:
                names = [f'{n}[{i}]' for n in names for i in range(dim)]
            for n in names:
                if isinstance(kind, Struct):
                    yield from kind.leaves(n + '.')
                else:
                    yield n, kind


def text_of(kind):
    return f'struct {kind.name}' if isinstance(kind, Struct) else kind


def draw(rng, n, known):
    """Half of them so small that they travel in registers."""
    kinds = SMALL if n % 2 else NUMBERS
    fields = []
    for i in range(rng.randint(1, 4 if n % 2 else 7)):
        kind = rng.choice(kinds)
        if known and rng.random() < 0.25:
            kind = rng.choice(known)
            if kind.depth() > 3:
                kind = 'int'
        dims = [rng.randint(1, 3) for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 2]))]
        fields.append((kind, f'f{i}', dims))
    return Struct(f'case{n}', fields)


def value(kind, seed):
    return f'({seed}) % 2 == 0' if kind == 'bool' else f'({kind})(({seed}) % 100)'


def write(s, rng, out):
    fields = [f'{text_of(k)} {n}' + ''.join(f'[{d}]' for d in dims) for k, n, dims in s.fields]
    before = [rng.choice(BEFORE) for _ in range(rng.choice([0, 0, 1, 2, 5, 9, 14]))]
    params = [f'{kind} p{i}' for i, kind in enumerate(before)] + [f'struct {s.name} x', 'int last']
    leaves = list(s.leaves(''))
    out.append(f'struct {s.name} {{ ' + ' '.join(f + ';' for f in fields) + ' };')
    out.append(f'static void fill_{s.name}(void *to, int seed)\n{{\n    struct {s.name} *x = to;\n')
    out += [f'    x->{n} = {value(k, f"seed + {i}")};' for i, (n, k) in enumerate(leaves)]
    out.append(f'}}\nstatic bool holds_{s.name}(const void *from, int seed)\n{{\n    const struct {s.name} *x = from;\n')
    out.append('    return ' + ' &&\n        '.join(f'x->{n} == ({value(k, f"seed + {i}")})' for i, (n, k) in enumerate(leaves)) + ';\n}')
    out.append(f'static struct {s.name} pass_{s.name}({", ".join(params)})\n{{')
    checks = ''.join(f' && p{i} == {i + 1}' for i in range(len(before)))
    out.append(f'    arrived = holds_{s.name}(&x, 7) && last == 77{checks};')
    out.append(f'    fill_{s.name}(&x, 11);\n    return x;\n}}')
    out.append(f'static const size_t offsets_{s.name}[] = {{' + ', '.join(f'offsetof(struct {s.name}, {n})' for _, n, _ in s.fields) + '};')
    join = rng.choice(['; ', ', '])
    row = [f'.name = "{s.name}"', f'.fields = "{join.join(fields)}"', f'.size = sizeof(struct {s.name})',
           f'.align = _Alignof(struct {s.name})', f'.nfields = {len(fields)}', f'.offsets = offsets_{s.name}',
           f'.prototype = "struct {s.name} pass({", ".join(params)})"', f'.before = "{"".join(str(BEFORE.index(b)) for b in before)}"',
           f'.fill = fill_{s.name}', f'.holds = holds_{s.name}', f'.pass = (void (*)(void))pass_{s.name}']
    return '    {' + ', '.join(row) + '},'


def main():
    rng = random.Random(1)
    out, rows, known = ['static bool arrived; /* the parameters of the last call were as they should be */'], [], []
    for n in range(int(sys.argv[2])):
        s = draw(rng, n, known[-20:])
        if len(list(s.leaves(''))) > 200:
            s = Struct(s.name, [('int', 'f0', [])])
        rows.append(write(s, rng, out))
        known.append(s)
    out += ['static const struct struct_case cases[] = {'] + rows + ['};']
    with open(sys.argv[1], 'w') as file:
        file.write('\n'.join(out) + '\n')


main()
