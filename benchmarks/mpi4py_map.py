"""mpi4py_map.py - the peer of bench_map: int -> int over 2 spawned workers.

Prints `SERIES SECONDS_FOR_A_TASK` lines: the default map over a few items, and
several chunk sizes over many.
"""
import sys
import time

from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor

FEW, MANY = 5000, 1000000


def square(i):
    return i * i


def measure(pool, series, count, **options):
    start = time.perf_counter()
    out = list(pool.map(square, range(count), **options))
    seconds = time.perf_counter() - start
    if out != [i * i for i in range(count)]:
        sys.exit('mpi4py_map: wrong results')
    print(series, '%.9g' % (seconds / count), flush=True)


if __name__ == '__main__':
    with MPIPoolExecutor(2) as pool:
        pool.bootup()
        list(pool.map(square, range(100)))
        for repetition in range(3):
            measure(pool, 'mpi4py', FEW)
        for chunk in 100, 1000, 10000, 100000:
            for repetition in range(2):
                measure(pool, 'mpi4py-%d' % chunk, MANY, chunksize=chunk)
