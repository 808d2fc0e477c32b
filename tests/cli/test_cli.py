#!/usr/bin/env python3
"""The command line as a user meets it: real workers, results compared with an
independent computation, messages, exit statuses, and nothing left behind.

  test_cli.py CADRE LIBRARY PROGRAM [NAME ...]   the program, clilib.so,
                                                 mpi_orphans, which tests
  test_cli.py --long CADRE LIBRARY PROGRAM       only the one that takes a
                                                 minute
"""
import ctypes
import math
import os
import pty
import random
import re
import resource
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree
import zlib

PATIENCE = 60  # seconds for any one command
MARK = f'CADRE_CLI_TEST={os.getpid()}'
LGAMMA = ['libm.so.6', 'double lgamma(double x)']
JN = ['libm.so.6', 'double jn(int n, double x)']
CRC = ['libz.so.1', 'unsigned long crc32(unsigned long crc, '
       'const uint8_t buf[len], unsigned len)']

cadre = library = program = None
tests = []


def test(function):
    tests.append(function)
    return function


def start(*args, env={}, **more):
    environment = {**os.environ, **dict([MARK.split('=')]), **env}
    return subprocess.Popen([cadre, *args], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment, text=True, **more)


def run(*args, rows='', **more):
    """The exit status, stdout and stderr of one command."""
    process = start(*args, **more)
    try:
        out, err = process.communicate(rows, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f'{args} hangs; so far: {out[-500:]} {err}')
    return process.returncode, out, err


def good(*args, rows=''):
    """The lines of a command that must succeed."""
    status, out, err = run(*args, rows=rows)
    assert status == 0, (status, err)
    return out.splitlines()


def bad(status, text, *args, rows='', **more):
    """A command that must fail, with one line that holds `text`."""
    got, out, err = run(*args, rows=rows, **more)
    assert got == status, (got, err)
    assert text in err, err
    assert err.count('\n') == 1, err
    return out


def column(values):
    return ''.join(f'{value}\n' for value in values)


def processes():
    """Of this test, living, by pid."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as f:
                environment = f.read().split(b'\0')
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                command = f.read().replace(b'\0', b' ').decode()
        except OSError:
            continue
        if MARK.encode() in environment and command:
            found[int(pid)] = command
    return found


def wait_for_none(seconds=10):
    deadline = time.monotonic() + seconds
    while processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes(), processes()


def folder():
    return tempfile.TemporaryDirectory(prefix='cadre-cli-')


def write(path, text):
    with open(path, 'w') as f:
        f.write(text)
    return path


# --- results ----------------------------------------------------------------

@test
def results_are_those_of_the_function():
    libm = ctypes.CDLL('libm.so.6')
    libm.lgamma.restype = ctypes.c_double
    libm.lgamma.argtypes = [ctypes.c_double]
    lines = good('map', '-n', '2', *LGAMMA, rows=column(range(1, 20001)))
    assert len(lines) == 20000
    for i, line in enumerate(lines, 1):
        assert float(line) == libm.lgamma(i), (i, line)
        assert math.isclose(float(line), math.lgamma(i), rel_tol=1e-13)


@test
def one_worker_and_a_fixed_chunk_give_the_same():
    rows = column(range(1, 1001))
    assert (good('map', '-n', '1', '--chunk', '7', *LGAMMA, rows=rows) ==
            good('map', '-n', '3', *LGAMMA, rows=rows))


@test
def no_rows_give_no_lines():
    assert good('map', '-n', '1', *LGAMMA) == []


@test
def csv_tsv_and_blanks_are_told_apart():
    want = good('map', '-n', '1', *JN, rows='1 0.5\n2 1.5\n')
    assert len(want) == 2 and float(want[0]) != float(want[1])
    assert good('map', '-n', '1', *JN, rows='1,0.5\n"2", 1.5\r\n') == want
    assert good('map', '-n', '1', *JN, rows='1\t0.5\n2\t1.5\n') == want
    assert good('map', '-n', '1', '--format', 'space', *JN,
                rows='1\t0.5\n 2   1.5') == want


@test
def a_header_binds_columns_by_name():
    want = good('map', '-n', '1', *JN, rows='1 0.5\n2 1.5\n')
    assert good('map', '-n', '1', '--header', *JN,
                rows='x,note,n\n0.5,"a, b",1\n1.5,,2\n') == want
    with folder() as d:
        a = write(f'{d}/a.csv', 'n,x\n1,0.5\n')
        b = write(f'{d}/b.tsv', 'x\tn\n1.5\t2\n')
        assert good('map', '-n', '1', '--header', *JN, a, b) == want
        assert good('map', '-n', '1', '--header', *JN, a, '-',
                    rows='x n\n1.5 2\n') == want


@test
def constants_are_the_same_for_all_rows():
    want = good('map', '-n', '1', *JN, rows='3 0.5\n3 1.5\n')
    assert good('map', '-n', '1', '--set', 'n=3', *JN,
                rows='0.5\n1.5\n') == want


@test
def files_become_arrays():
    with folder() as d:
        contents = [os.urandom(n) for n in (0, 1, 1000, 3000000)]
        names = [f'{d}/file {i}, odd' for i in range(len(contents))]
        for name, content in zip(names, contents):
            with open(name, 'wb') as f:
                f.write(content)
        want = [str(zlib.crc32(content)) for content in contents]
        assert good('map', '-n', '2', '--each-file', *CRC, '--set', 'crc=0',
                    rows=column(names)) == want
        assert good('map', '-n', '2', '--each-file', '-0', *CRC, '--set',
                    'crc=0', rows='\0'.join(names) + '\0') == want


@test
def a_file_that_cannot_be_read_fails_its_row():
    with folder() as d:
        name = write(f'{d}/x', 'hello')
        rows = f'{name}\n{d}/missing\n{d}\n{name}\n'
        status, out, err = run('map', '-n', '1', '--each-file', '--keep-going',
                               '--set', 'crc=0', *CRC, rows=rows)
        crc = zlib.crc32(b'hello')
        assert status == 1
        assert out == f'{crc}\n\n\n{crc}\n', out
        assert 'row 2' in err and 'row 3' in err and err.count('\n') == 2, err


@test
def arrays_go_in_and_out():
    prototype = ('double scale(size_t n, double by, const double x[n], '
                 'CADRE_OUT double y[n])')
    assert good('map', '-n', '1', library, prototype,
                rows='2\t1 2 3\n0.5\t5\n1\t\n') == ['12\t2 4 6', '2.5\t2.5',
                                                     '0\t']
    assert good('map', '-n', '1', library, prototype, '--set', 'x=1,2',
                rows='2\n3\n') == ['6\t2 4', '9\t3 6']


@test
def strings_and_other_types_go_in_and_out():
    greet = [library, 'char *greet(const char *name)']
    assert good('map', '-n', '1', '--format', 'line', *greet,
                rows='you, there\n') == ['hello,\\tyou, there']
    assert good('map', '-n', '1', *greet, rows='"a ""b"""\n') == [
        '"hello,\ta ""b"""']
    assert good('map', '-n', '1', library, 'uint8_t next_byte(uint8_t x)',
                rows='0x10\n255\n') == ['17', '0']
    assert good('map', '-n', '1', library,
                'double _Complex turn(double _Complex z)',
                rows='1+2i\n3\n') == ['-2+1i', '0+3i']
    assert good('map', '-n', '1', 'libm.so.6', 'double fabs(double x)',
                rows='-inf\nnan\n0.1\n') == ['inf', 'nan', '0.1']
    assert good('map', '-n', '1', 'libm.so.6', 'float sqrtf(float x)',
                rows='0.01\n') == ['0.1']


POINT = 'point: double x, double y'
SEGMENT = 'segment: struct point a; struct point b; int tags[2];'


@test
def structs_take_a_column_for_each_field():
    assert good('map', '-n', '1', '--struct', POINT, library,
                'double norm(struct point p)', rows='3 4\n6 8\n') == ['5', '10']
    assert good('map', '-n', '1', '--struct', POINT, '--header', library,
                'double norm(point p)', rows='p.y,name,p.x\n4,a,3\n0,b,1\n'
                ) == ['5', '1']
    reverse = ['--struct', POINT, '--struct', SEGMENT, library,
               'segment reversed(segment s, float by)']
    assert good('map', '-n', '1', *reverse, rows='1,2,3,4,5 6,2\n') == [
        '6,8,2,4,6 5']
    assert good('map', '-n', '1', '--set', 's=1,2,3,4,5,6', *reverse,
                rows='1\n') == ['3\t4\t1\t2\t6 5']
    out = good('map', '--dry-run', *reverse, rows='1 2 3 4 5;6 2\n')
    assert any('struct segment' in l and 'columns 1 to 5' in l for l in out)
    assert good('map', '-n', '1', '--struct', 'div_t: int quot, rem',
                'libc.so.6', 'div_t div(int n, int by)', rows='17 5\n') == [
        '3\t2']
    assert good('map', '-n', '1', 'libc.so.6', 'struct in_addr { uint32_t a; }; '
                'const char *inet_ntoa(struct in_addr in)',
                rows='0x0100007f\n') == ['127.0.0.1']


@test
def arrays_of_structs_and_of_several_dimensions_take_one_column():
    assert good('map', '-n', '1', '--struct', POINT, library,
                'point gather(size_t n, const point p[n], '
                'CADRE_OUT point turned[n])', rows='1 2 3 4 5 6\n'.replace(
                    ' ', ';') + '7;8\n') == ['9\t12\t5 6 3 4 1 2',
                                           '7\t8\t7 8']
    sums = [library, 'void sums(size_t n, const long x[n][3], '
            'CADRE_OUT long y[3])']
    assert good('map', '-n', '1', '--format', 'line', *sums,
                rows='1 2 3 10 20 30\n5 5 5\n') == ['11 22 33', '5 5 5']
    bad(2, 'x has 4 elements, but n, its length, is 1 of 3 elements each',
        'map', '--format', 'line', *sums, rows='1 2 3 4\n')
    assert good('map', '-n', '1', library,
                'double complex total(size_t n, const float complex z[n])',
                rows='1+2i;3;-0.5i\n') == ['4+1.5i']


@test
def bad_structs_are_status_2():
    norm = [library, 'double norm(struct point p)']
    bad(2, "'struct point' is not declared", 'map', *norm, rows='1 2\n')
    bad(2, 'write --struct', 'map', '--struct', 'point', *norm, rows='1 2\n')
    bad(2, "struct 'point': column 2: 'char *' is a pointer", 'map',
        '--struct', 'point: char *x', *norm, rows='1 2\n')
    bad(2, '1 column where 2 are wanted (p.x, p.y)', 'map', '--struct', POINT,
        *norm, rows='1\n')
    bad(2, "column 2 (p.y): 'z' is not of type double", 'map', '--struct',
        POINT, *norm, rows='1 z\n')
    bad(2, "no column called 'p.y'", 'map', '--header', '--struct', POINT,
        *norm, rows='p.x\n1\n')
    bad(2, 'the numbers end before tags', 'map', '--struct', POINT, '--struct',
        SEGMENT, library, 'segment reversed(segment s, float by)',
        rows='1,2,3,4,5,6\n')
    bad(2, 'these are 2 of struct point, not 1', 'map', '--struct', POINT,
        '--set', 's=1,2,3,4', library, 'double norm(point s, int n)',
        rows='1\n')


@test
def unordered_results_name_their_row():
    lines = good('map', '-n', '2', '--unordered', '--chunk', '1', library,
                 'int slow_first(int i)', rows=column(range(1, 101)))
    assert lines != sorted(lines, key=lambda line: int(line.split('\t')[0]))
    assert sorted(lines) == sorted(f'{i}\t{i}' for i in range(1, 101))


@test
def results_come_while_the_input_is_still_open():
    process = start('map', '-n', '1', *LGAMMA)
    try:
        # No further row comes, and half of one: what is done comes out.
        for rows in '1\n2\n', '1\n1':
            process.stdin.write(rows)
            process.stdin.flush()
            wanted = rows.count('\n') * len('0\n')
            while wanted > 0:
                ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
                assert ready, 'nothing came'
                got = os.read(process.stdout.fileno(), wanted)
                assert got == b'0\n0\n'[:len(got)] != b'', got
                wanted -= len(got)
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


# --- failures ---------------------------------------------------------------

@test
def the_first_failing_row_ends_the_run():
    out = bad(1, 'row 3: ', 'map', '-n', '1', '--set', 'by=3', library,
              'long fussy(long i, long by)', rows=column(range(1, 1001)))
    assert out == '10\n20\n', out
    out = bad(1, "row 3 (standard input line 3): column 1 (x): 'three'", 'map',
              '-n', '1', *LGAMMA, rows='1\n2\nthree\n4\n')
    assert out == '0\n0\n', out


@test
def keep_going_passes_over_rows_that_fail():
    rows = [str(i) if i % 7 else 'seven' for i in range(1, 31)]
    status, out, err = run('map', '-n', '2', '--keep-going', '--set', 'by=5',
                           library, 'long fussy(long i, long by)',
                           rows=column(rows))
    want = ['' if i % 7 == 0 or i % 5 == 0 else str(10 * i)
            for i in range(1, 31)]
    assert status == 1
    assert out == column(want), out
    named = sorted(int(n) for n in re.findall(r'row (\d+)', err))
    assert named == [i for i in range(1, 31) if i % 7 == 0 or i % 5 == 0], err
    assert '5 is a multiple of 5' in err


@test
def a_run_ends_when_its_time_is_up():
    began = time.monotonic()
    status, out, err = run('map', '-n', '2', '--timeout', '0.5', library,
                           'int doze(int ms)', rows=column([1, 2, 60000, 60000,
                                                            3, 60000]))
    assert status == 1
    assert out == column([1, 2]), out
    assert 'the map has not ended within 0.5 s' in err, err
    assert time.monotonic() - began < 15


@test
def a_row_that_takes_too_long_fails():
    status, out, err = run('map', '-n', '2', '--task-timeout', '0.3',
                           '--keep-going', library, 'int doze(int ms)',
                           rows=column([1, 60000, 3]))
    assert status == 1
    assert out == '1\n\n3\n', out
    assert 'row 2: the task has not ended within 0.3 s' in err, err


@test
def a_run_ends_after_some_failures():
    status, out, err = run('map', '-n', '1', '--chunk', '1', '--max-failures',
                           '3', '--set', 'by=2', library,
                           'long fussy(long i, long by)',
                           rows=column(range(1, 100001)))
    assert status == 1
    assert out.startswith('10\n\n30\n\n50\n\n'), out[:100]
    assert out.count('\n') < 90000
    assert re.search(r'stopped after \d+ rows had failed', err), err


@test
def a_row_is_tried_again_if_asked():
    with tempfile.TemporaryDirectory() as folder:
        rows = column([f'{folder}/a', f'{folder}/b'])
        status, out, err = run('map', '-n', '2', '--retries', '1', library,
                               'int at_second(const char *path)', rows=rows)
    assert (status, out) == (0, column([2, 2])), err


@test
def unordered_rows_keep_their_numbers_after_bad_ones():
    rows = column(['x', 2, 'x', 'x', 5, 6])
    status, out, _ = run('map', '-n', '1', '--keep-going', '--unordered',
                         'libm.so.6', 'double fabs(double x)', rows=rows)
    assert status == 1
    assert sorted(out.splitlines()) == ['2\t2', '5\t5', '6\t6'], out


@test
def twenty_failures_are_named_and_the_rest_counted():
    status, out, err = run('map', '-n', '1', '--keep-going', *LGAMMA,
                           rows='x\n' * 50 + '1\n')
    assert status == 1 and out == '\n' * 50 + '0\n'
    assert len(re.findall('row ', err)) == 20 and '30 more rows' in err, err


@test
def a_crash_fails_its_row_and_no_other():
    status, out, err = run('map', '-n', '2', '--chunk', '1', '--keep-going',
                           '--set', 'at=5', library,
                           'long fatal(long i, long at)',
                           rows=column(range(1, 41)))
    assert status == 1, (status, err)
    assert 'row 5: ' in err, err
    lines = out.split('\n')
    assert lines[4] == '' and len(lines) == 41, out


@test
def what_libraries_say_is_not_among_the_results():
    status, out, err = run('map', '-n', '1', *LGAMMA, rows='1\n',
                           env={'UCX_LOG_LEVEL': 'info'})
    assert (status, out) == (0, '0\n'), (status, out, err)


# --- mistakes before anything runs ------------------------------------------

@test
def wrong_usage_is_one_line_and_status_2():
    bad(2, 'cadre --help')
    bad(2, 'unknown command', 'mapp')
    bad(2, 'unknown option', '--nope')
    bad(2, 'cadre map --help', 'map')
    bad(2, 'prototype is missing', 'map', 'libm.so.6')
    bad(2, '--nope', 'map', '--nope', *LGAMMA)
    bad(2, '-n 0', 'map', '-n', '0', *LGAMMA)
    bad(2, '-n -2', 'map', '-n', '-2', *LGAMMA)
    bad(2, '--chunk 0', 'map', '--chunk', '0', *LGAMMA)
    bad(2, '-n', 'map', *LGAMMA, '-n')
    bad(2, '--at-least none', 'map', '--at-least', 'none', *LGAMMA)
    bad(2, '--at-least 3: that is more than -n 2', 'map', '-n', '2',
        '--at-least', '3', *LGAMMA)
    bad(2, '--set y=1', 'map', '--set', 'y=1', *LGAMMA, rows='1\n')
    bad(2, "'a' is not of type int", 'map', '--set', 'n=a', *JN, rows='1\n')
    bad(2, 'no array of bytes', 'map', '--each-file', *LGAMMA, rows='1\n')
    bad(2, 'cadre run --help', 'run')
    bad(2, '-n 0', 'run', '-n', '0', 'true')


@test
def bad_functions_are_status_2():
    bad(2, 'libnowhere.so', 'map', 'libnowhere.so', LGAMMA[1], rows='1\n')
    bad(2, 'no_such_symbol', 'map', 'libm.so.6',
        'double no_such_symbol(double x)', rows='1\n')
    bad(2, 'column', 'map', 'libm.so.6', 'double lgamma(dubble x', rows='1\n')
    bad(2, 'x[n]', 'map', 'libm.so.6', 'double f(double *x)', rows='1\n')


@test
def a_library_that_does_not_load_is_status_2():
    for what, text in (('crash', 'crashes (Aborted)'),
                       ('exit', 'calls exit(0)'),
                       ('hang', 'has not ended within 1 s')):
        bad(2, f'loading {library} {text}', 'map', '--spawn-timeout', '1',
            library, 'int doze(int ms)', rows='1\n',
            env={'CLILIB_LOAD': what})
    bad(2, "library's name is empty", 'map', '', LGAMMA[1], rows='1\n')


@test
def a_folder_that_is_gone_is_one_line():
    def leave():
        os.mkdir('gone')
        os.chdir('gone')
        os.rmdir('../gone')

    with folder() as d:
        for args in (['run', 'true'], ['map', *LGAMMA]):
            bad(3, 'the current folder cannot be found', *args, rows='1\n',
                cwd=d, preexec_fn=leave)


@test
def no_ssh_is_needed():
    with folder() as d:
        for name in 'setsid', 'flock', 'rm', 'mpirun', 'true':
            os.symlink(shutil.which(name), f'{d}/{name}')
        status, out, err = run('map', '-n', '1', *LGAMMA, rows='1\n',
                               env={'PATH': d})
        assert (status, out, err) == (0, '0\n', '')
        assert run('run', 'true', env={'PATH': d})[0] == 0
        wait_for_none() # before the links go


@test
def what_cannot_be_printed_is_said():
    for args in (['--help'], ['map', '--help'], ['map', '--dry-run', *LGAMMA],
                 ['place']):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([cadre, *args], text=True, input='1\n',
                                  stdout=full, stderr=subprocess.PIPE,
                                  timeout=PATIENCE)
        assert done.returncode == 3, done
        assert done.stderr.count('\n') == 1, done
        assert 'standard output: No space left' in done.stderr, done


@test
def odd_input_neither_hangs_nor_passes():
    with folder() as d:
        bad(2, 'Is a directory', 'map', *LGAMMA, d)
        for content, text in ((b'x' * 1000000 + b'\n', "xxx...' is not of"),
                              (b'2\0\n', 'is not of type double'),
                              (b'\xff\xfe\n', 'is not of type double')):
            with open(f'{d}/in', 'wb') as f:
                f.write(content)
            process = subprocess.run([cadre, 'map', *LGAMMA, f'{d}/in'],
                                     capture_output=True, timeout=PATIENCE)
            assert process.returncode == 2, process
            assert process.stderr.count(b'\n') == 1, process
            assert text.encode() in process.stderr, process
        blank = ' ' * 1000000
        assert good('map', '-n', '1', *LGAMMA, write(f'{d}/in', f'{blank}1'
                                                     )) == ['0']
    bad(2, 'standard input cannot be read', 'map', *LGAMMA,
        preexec_fn=lambda: os.close(0))
    bad(2, 'which program?', 'run', '')
    bad(2, 'from 1 to 4096', 'map', '-n', '5000', *LGAMMA, rows='1\n')


@test
def bad_input_is_status_2():
    bad(2, 'row 1', 'map', *LGAMMA, rows='one\n2\n')
    bad(2, '2 columns where 1 is wanted (x)', 'map', *LGAMMA, rows='1 2\n')
    bad(2, "no column called 'x'", 'map', '--header', *LGAMMA, rows='y\n2\n')
    bad(2, '/nowhere/at-all cannot be read', 'map', *LGAMMA, '/nowhere/at-all')
    bad(2, 'out of the range of int', 'map', *JN, rows='3000000000 1\n')
    bad(2, 'quote', 'map', *JN, rows='1,"2\n')


@test
def a_dry_run_starts_nothing():
    process = start('map', '--dry-run', '-n', '3', '--header', '--set', 'n=2',
                    *JN)
    out, err = process.communicate('x\n1.5\n', timeout=PATIENCE)
    assert process.returncode == 0 and err == '', err
    for text in (JN[1], 'libm.so.6', 'column 1', 'always 2', 'workers', '3',
                 'checked'):
        assert text in out, out
    bad(2, 'row 1', 'map', '--dry-run', *LGAMMA, rows='one\n')
    status, out, err = run('map', '--dry-run', *LGAMMA)
    assert status == 0 and 'there is none' in out


EXCHANGE_TIMEOUT = 'OMPI_MCA_pmix_base_exchange_timeout'


@test
def fewer_workers_are_enough_if_asked():
    with folder() as d:
        worker = f'{d}/worker'
        write(worker, f'#!/bin/sh\nmkdir {d}/first 2>/dev/null && exit 1\n'
              f'exec {os.path.dirname(cadre)}/cadre-worker "$@"\n')
        os.chmod(worker, 0o755)
        os.environ[EXCHANGE_TIMEOUT] = '20' # Open MPI takes half of it
        status, out, err = run('map', '-n', '3', '--at-least', '1', '--worker',
                               worker, *LGAMMA, rows=column(range(1, 20)))
        del os.environ[EXCHANGE_TIMEOUT]
        assert 'going on with 1 of 3 workers' in err, err
        assert status == 0 and len(out.splitlines()) == 19, err


@test
def a_missing_worker_program_is_named():
    bad(3, '/nowhere/worker', 'map', '--worker', '/nowhere/worker', *LGAMMA,
        rows='1\n')


@test
def help_and_version_are_there():
    status, out, err = run('--version')
    assert status == 0 and re.fullmatch(r'cadre \d+\.\d+\.\d+\n', out)
    for args in (['--help'], ['help'], ['map', '--help'], ['help', 'run'],
                 ['run', '--help'], ['map', '-h'], ['place', '--help']):
        status, out, err = run(*args)
        assert status == 0 and 'Exit status' in out and err == ''
        assert max(map(len, out.splitlines())) <= 80
    bad(2, 'unknown command', 'help', 'nope')


@test
def the_worker_says_that_it_is_not_for_hands():
    worker = os.path.join(os.path.dirname(cadre), 'cadre-worker')
    for option in ('--help', '--version'):
        done = subprocess.run([worker, option], capture_output=True,
                              text=True, timeout=PATIENCE)
        assert done.returncode == 0 and done.stdout.startswith('cadre-worker')
    done = subprocess.run([worker], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1, done.stderr


# --- streams, signals, terminals --------------------------------------------

def stream(rows):
    """Peak memory (kB) of the command and of its worker, and whether its
    results for `rows` rows through a pipe are right."""
    process = start('map', '-n', '1', 'libm.so.6', 'double fabs(double x)')
    os.set_blocking(process.stdin.fileno(), False)
    os.set_blocking(process.stdout.fileno(), False)
    given, want, rest, workers = 0, 0, b'', 0
    to, back = process.stdin.fileno(), process.stdout.fileno()
    piece, open_ends = b'', [back]
    deadline = time.monotonic() + PATIENCE * (1 + rows // 2000000)
    while open_ends:
        assert time.monotonic() < deadline, 'hangs'
        feeding = [to] if to is not None else []
        readable, writable, _ = select.select([back], feeding, [], 1)
        if writable:
            if not piece and given < rows:
                upto = min(rows, given + 8192)
                piece = b''.join(b'-%d\n' % i for i in range(given, upto))
                given = upto
                if given % (8192 * 32) == 0:
                    workers = max(workers, worker_peak(process.pid))
            if piece:
                piece = piece[os.write(to, piece):]
            elif given == rows:
                workers = max(workers, worker_peak(process.pid))
                process.stdin.close()
                to = None
        if readable:
            got = os.read(back, 1 << 16)
            if not got:
                open_ends = []
            *lines, rest = (rest + got).split(b'\n')
            for line in lines:
                if int(line) != want:
                    raise AssertionError((want, line))
                want += 1
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    errors = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == 0 and errors == '', (process.returncode,
                                                      errors)
    assert want == rows, want
    return usage.ru_maxrss, workers


def worker_peak(controller):
    peak = 0
    for pid in processes():
        if pid == controller:
            continue
        try:
            with open(f'/proc/{pid}/status') as f:
                found = re.search(r'VmHWM:\s*(\d+)', f.read())
        except OSError:
            continue
        peak = max(peak, int(found.group(1)) if found else 0)
    return peak


def check_stream(rows):
    """After the first ones, for which there may be room that was used at the
    start, no row costs 12 bytes that stay."""
    first = 400000
    small = stream(first)
    large = stream(rows)
    print(f'  peak memory, {first} rows: {small} kB, {rows}: {large} kB')
    for before, after in zip(small, large):
        assert (after - before) * 1024 < (rows - first) * 12, (small, large)


@test
def a_million_rows_need_no_more_memory():
    check_stream(1000000)


def ten_million_rows_need_no_more_memory():
    check_stream(10000000)


@test
def a_reader_that_goes_ends_the_run_quietly():
    process = start('map', '-n', '1', *LGAMMA)
    reader = process.stdout
    feeder = subprocess.Popen(['yes', '1'], stdout=process.stdin,
                              stderr=subprocess.DEVNULL)
    process.stdin.close()
    assert reader.readline() == '0\n'
    reader.close()
    assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ''
    process.stderr.close()
    feeder.wait(PATIENCE)


@test
def a_full_disk_is_an_error():
    with open('/dev/full', 'w') as full:
        done = subprocess.run([cadre, 'map', '-n', '1', *LGAMMA], text=True,
                              input='1\n', stdout=full, stderr=subprocess.PIPE,
                              timeout=PATIENCE)
    assert done.returncode == 3 and 'No space left' in done.stderr, done


@test
def an_interrupt_ends_the_run():
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start('map', '-n', '2', 'libc.so.6', 'int usleep(unsigned u)')
        process.stdin.write('1000000\n' * 100)
        process.stdin.close()
        time.sleep(2)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert time.monotonic() - began < 10
        process.stdout.close()
        process.stderr.close()
        wait_for_none()


@test
def a_killed_command_leaves_no_process():
    process = start('map', '-n', '2', 'libc.so.6', 'int usleep(unsigned u)')
    process.stdin.write('100000\n' * 100)
    process.stdin.flush()
    time.sleep(2)
    assert len(processes()) > 1
    process.kill()
    process.communicate()
    wait_for_none(20)


def on_terminal(*args, rows):
    """What a terminal as standard error sees."""
    master, slave = pty.openpty()
    environment = {**os.environ, 'TERM': 'xterm', **dict([MARK.split('=')])}
    process = subprocess.Popen([cadre, *args], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=slave,
                               env=environment)
    os.close(slave)
    out, _ = process.communicate(rows.encode(), timeout=PATIENCE)
    seen = b''
    while True:
        try:
            got = os.read(master, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    os.close(master)
    assert process.returncode == 0, seen
    return out.decode(), seen.decode()


@test
def progress_is_drawn_on_a_terminal_and_removed():
    out, seen = on_terminal('map', '-n', '1', '--chunk', '1', 'libc.so.6',
                            'int usleep(unsigned u)', rows='100000\n' * 8)
    assert out == '0\n' * 8
    drawn = seen.split('\r')
    assert any('rows' in piece and '/s' in piece for piece in drawn), seen
    # The line goes before the summary comes.
    assert '\r\x1b[Kcadre map: 8 rows' in seen, seen
    assert re.search(r'8 rows in [\d.]+ s \(\d+ rows/s\), 0 failed', seen)
    _, seen = on_terminal('map', '-n', '1', '--progress', 'never', *LGAMMA,
                          rows='1\n')
    assert '\x1b' not in seen


@test
def nothing_is_said_without_a_terminal():
    status, out, err = run('map', '-n', '1', *LGAMMA, rows='1\n')
    assert (status, out, err) == (0, '0\n', '')
    status, out, err = run('map', '-n', '2', '-v', *LGAMMA, rows='1\n')
    assert out == '0\n' and '2 workers' in err and '1 rows in' in err


# --- journals ---------------------------------------------------------------

NOTED = 'long noted(const char *file, long i, unsigned us)'


def noted(d, *more, us=0):
    """The arguments of a run whose tasks note themselves in d/notes."""
    return ['map', '-n', '2', '--journal', f'{d}/j.db', '--set',
            f'file={d}/notes', '--set', f'us={us}', *more, library, NOTED]


def runs_in(d):
    """How often each task has run."""
    runs = {}
    if os.path.exists(f'{d}/notes'):
        with open(f'{d}/notes') as f:
            for line in f:
                runs[int(line)] = runs.get(int(line), 0) + 1
    return runs


def await_rows(process, d, count, seconds):
    """Wait until `count` rows more have run, or the time is over."""
    before, end = sum(runs_in(d).values()), time.monotonic() + seconds
    while (process.poll() is None and time.monotonic() < end and
           sum(runs_in(d).values()) - before < count):
        time.sleep(0.005)


def recorded_in(d):
    """The items of the journal, read from a copy."""
    with folder() as copy:
        for end in ('', '-wal'):
            if os.path.exists(f'{d}/j.db{end}'):
                shutil.copy(f'{d}/j.db{end}', f'{copy}/j.db{end}')
        base = sqlite3.connect(f'{copy}/j.db')
        try:
            return [row[0] for row in base.execute('SELECT item FROM items')]
        except sqlite3.OperationalError as e:
            assert 'no such table' in str(e), e
            return []
        finally:
            base.close()


def squares(n):
    return [str(i * i) for i in range(n)]


@test
def a_journal_makes_the_same_command_go_on():
    with folder() as d:
        assert good(*noted(d), rows=column(range(100))) == squares(100)
        assert good(*noted(d), rows=column(range(300))) == squares(300)
        lines = good(*noted(d, '--unordered'), rows=column(range(300)))
        assert sorted(lines) == sorted(f'{i + 1}\t{i * i}' for i in range(300))
        assert runs_in(d) == {i: 1 for i in range(300)}
        base = sqlite3.connect(f'{d}/j.db')
        got = base.execute('SELECT item, value, state FROM items'
                           ' ORDER BY value DESC LIMIT 1').fetchone()
        base.close()
        assert got == (299, 299 * 299, 'done'), got


@test
def a_killed_command_goes_on_where_it_was():
    rounds, most, us = 15, 250, 4000
    n = rounds * most # more than all rounds can do
    chance = random.Random(4711)
    with folder() as d:
        began = time.monotonic()
        good('map', '-n', '2', *LGAMMA, rows='1\n')
        latest = time.monotonic() - began + 0.6 # start, and some rows
        moved = 0
        deadline = time.monotonic() + 150
        for k in range(rounds):
            assert time.monotonic() < deadline
            process = start(*noted(d, us=us))
            process.stdin.write(column(range(n)))
            process.stdin.close()
            # At any time, or when so many rows have run.
            if k % 2 == 0:
                await_rows(process, d, chance.randint(20, most), PATIENCE)
            else:
                await_rows(process, d, most, chance.uniform(0.05, latest))
            assert process.poll() is None, process.stderr.read()
            process.kill()
            process.wait()
            out = process.stdout.read().split('\n')
            process.stdout.close()
            process.stderr.close()
            wait_for_none(20)
            # What was printed is right, and in the journal.
            recorded = set(recorded_in(d))
            assert out[:-1] == squares(len(out) - 1), out[-3:]
            assert set(range(len(out) - 1)) <= recorded
            before = runs_in(d)
            assert all(before[i] >= 1 for i in recorded)
            if k > 0:
                # None of those recorded then has run again.
                assert all(before[i] == was_run[i] for i in was_recorded)
                assert was_recorded <= recorded
                moved += len(recorded) > len(was_recorded)
            was_recorded, was_run = recorded, before
        assert moved >= 5, moved
        assert good(*noted(d, us=us), rows=column(range(n))) == squares(n)
        after = runs_in(d)
        assert all(after[i] == was_run[i] for i in was_recorded)
        twice = sum(count > 1 for count in after.values())
        print(f'  {rounds} kills, {twice} of {n} rows ran more than once')
        assert set(after) == set(range(n)) and max(after.values()) <= 1 + rounds


@test
def failed_rows_are_run_again_only_if_asked():
    args = ['map', '-n', '1', '--set', 'by=4', '--journal']
    more = [library, 'long fussy(long i, long by)']
    with folder() as d:
        rows = column(range(1, 11))
        want = column('' if i % 4 == 0 else 10 * i for i in range(1, 11))
        for option in [], [], ['--retry-failed']:
            status, out, err = run(*args, f'{d}/j.db', '--keep-going', *option,
                                   *more, rows=rows)
            assert (status, out) == (1, want), out
            assert '4 is a multiple of 4' in err and 'row 8' in err, err
        out = bad(1, '--retry-failed runs them again', *args, f'{d}/j.db',
                  *more, rows=rows)
        assert out == '10\n20\n30\n', out
    bad(2, '--retry-failed is for --journal', 'map', '--retry-failed', *LGAMMA)


@test
def a_journal_of_something_else_is_refused():
    with folder() as d:
        good(*noted(d), rows=column(range(10)))
        bad(3, 'is of another function: its library is', 'map', '-n', '1',
            '--journal', f'{d}/j.db', *LGAMMA, rows='1\n')
        bad(3, 'item 5 has other arguments than in the journal', *noted(d),
            rows=column([0, 1, 2, 3, 4, 6, 7, 8, 9]))
        bad(3, 'the input has 9 items, the journal', *noted(d),
            rows=column(range(9)))
        bad(3, 'is no journal', 'map', '-n', '1', '--journal',
            write(f'{d}/text', 'not at all' * 100), *LGAMMA, rows='1\n')
        bad(3, 'No such file', 'map', '-n', '1', '--journal',
            f'{d}/none/j.db', *LGAMMA, rows='1\n')
        base = sqlite3.connect(f'{d}/j.db')
        base.execute('PRAGMA user_version = 99')
        base.commit()
        base.close()
        bad(3, 'has version 99, this Cadre knows', *noted(d), rows='0\n')
        assert len(runs_in(d)) == 10


@test
def two_commands_cannot_share_a_journal():
    with folder() as d:
        process = start(*noted(d))
        process.stdin.write('0\n')
        process.stdin.flush()
        assert process.stdout.readline() == '0\n'
        bad(3, 'is in use by another process', *noted(d), rows='0\n')
        out, err = process.communicate('1\n', timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, '1\n', ''), err
        assert good(*noted(d), rows='0\n1\n') == ['0', '1']
        assert runs_in(d) == {0: 1, 1: 1}


def full_place(d):
    """A folder that holds 200 kB, or None where none can be made."""
    place = f'{d}/full'
    os.mkdir(place)
    made = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=200k', 'none',
                           place], capture_output=True)
    return place if made.returncode == 0 else None


@test
def a_journal_on_a_full_disk_ends_the_run_and_keeps_what_it_has():
    n = 20000
    with folder() as d:
        place = full_place(d)
        args = noted(d)
        if place:
            args[args.index(f'{d}/j.db')] = f'{place}/j.db'
            limit = None
        else:
            def limit():
                resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            process = start(*args, preexec_fn=limit)
            out, err = process.communicate(column(range(n)), timeout=PATIENCE)
            assert process.returncode == 3, (process.returncode, err)
            assert err.count('\n') == 1 and 'cannot be written' in err, err
            assert 'j.db' in err and ('full' in err or 'large' in err), err
            printed = out.split('\n')[:-1]
            assert 0 < len(printed) < n and printed == squares(len(printed))
            before = runs_in(d)
            if place:
                subprocess.run(['mount', '-o', 'remount,size=50m', place],
                               check=True)
            assert good(*args, rows=column(range(n))) == squares(n)
            after = runs_in(d)
            assert all(after[i] == 1 for i in range(len(printed)))
            assert len(before) < n or place, 'it was never full'
        finally:
            if place:
                subprocess.run(['umount', place], check=True)


# --- Ctrl-C and a terminal that is closed -----------------------------------

class Terminal:
    """A command whose controlling terminal is a new one, so that what is typed
    and its end reach the whole foreground group, as they do for a user."""

    def __init__(self, *command):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
                signal.signal(number, signal.SIG_DFL) # nohup ignores them
            os.environ.update(dict([MARK.split('=')]))
            os.execvp(command[0], command)
        self.seen = ''
        self.status = None

    def read(self, seconds=0.05):
        ready, _, _ = select.select([self.master], [], [], seconds)
        try:
            self.seen += os.read(self.master, 65536).decode() if ready else ''
        except OSError: # nobody has it open any more
            time.sleep(seconds)

    def until(self, done):
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, self.seen
            self.read()

    def until_seen(self, text):
        self.until(lambda: text in self.seen)

    def interrupt(self):
        os.write(self.master, b'\x03')

    def has_ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid != 0:
            self.status = os.waitstatus_to_exitcode(status)
        return pid != 0

    def end(self):
        """Its exit status, when it has ended, with all it has said."""
        self.until(self.has_ended)
        self.read()
        os.close(self.master)
        return self.status

    def hang_up(self):
        """Close the terminal; the exit status of the command."""
        os.close(self.master)
        deadline = time.monotonic() + PATIENCE
        while not self.has_ended():
            assert time.monotonic() < deadline, 'hangs'
            time.sleep(0.05)
        return self.status


@test
def ctrl_c_lets_the_rows_that_run_end():
    n = 60
    with folder() as d:
        rows = write(f'{d}/rows', column(range(n)))
        t = Terminal(cadre, *noted(d, us=200000), rows)
        t.until(lambda: t.seen.count('\n') >= 3)
        t.interrupt()
        assert t.end() == 130, (t.status, t.seen)
        assert 'ending; rows that run have 10 s' in t.seen, t.seen
        # All that was begun is recorded, and what is in order printed.
        recorded = recorded_in(d)
        assert sorted(runs_in(d)) == sorted(recorded) and len(recorded) < n
        said = re.search(r'ended by SIGINT after (\d+) rows.*; the same command '
                         r'goes on where it was, from .*/j.db', t.seen)
        assert said and int(said.group(1)) == len(recorded), t.seen
        lines = re.findall(r'^(\d+)\r$', t.seen.replace('^C', ''), re.M)
        assert lines == squares(len(lines)), t.seen
        assert ('not printed' in t.seen) == (len(lines) < len(recorded)), t.seen
        wait_for_none(5)
        assert good(*noted(d, us=200000), rows) == squares(n)
        assert runs_in(d) == {i: 1 for i in range(n)}


@test
def a_signal_without_a_journal_says_how_to_go_on():
    with folder() as d:
        args = noted(d, us=300000)
        del args[args.index('--journal'):args.index('--journal') + 2]
        for number in (signal.SIGINT, signal.SIGTERM):
            process = start(*args)
            process.stdin.write(column(range(100)))
            process.stdin.flush()
            assert os.read(process.stdout.fileno(), 2) == b'0\n'
            process.send_signal(number)
            process.send_signal(number) # at the same time: as one
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 128 + number, err
            assert err.count('\n') == 1 and (
                f'ended by {number.name} after' in err and
                'with --journal FILE the same command can go on' in err), err
            assert out == column(squares(100)[1:out.count('\n') + 1]), out
            wait_for_none(5)


def wait_until_run(t, d, count):
    t.until(lambda: len(runs_in(d)) >= count)


@test
def rows_that_do_not_end_are_given_up():
    with folder() as d:
        rows = write(f'{d}/rows', column(range(4)))
        t = Terminal(cadre, *noted(d, '--grace', '1', us=600000000), rows)
        wait_until_run(t, d, 2)
        t.interrupt()
        assert t.end() == 130, (t.status, t.seen)
        assert 'rows that still ran after 1 s were given up' in t.seen, t.seen
        wait_for_none(5)


@test
def ctrl_c_twice_ends_at_once():
    with folder() as d:
        rows = write(f'{d}/rows', column(range(4)))
        t = Terminal(cadre, *noted(d, '--grace', '1000', us=600000000), rows)
        wait_until_run(t, d, 2)
        t.interrupt()
        t.until_seen('a second signal')
        time.sleep(0.3) # two within a moment count as one
        t.interrupt()
        assert t.end() == 130, (t.status, t.seen)
        wait_for_none(5)


@test
def a_terminal_that_is_closed_takes_all_along():
    with folder() as d:
        rows = write(f'{d}/rows', column(range(4)))
        t = Terminal(cadre, *noted(d, '--grace', '1000', us=600000000), rows)
        wait_until_run(t, d, 2)
        assert t.hang_up() == 129, t.status
        wait_for_none(5)


@test
def what_is_ignored_at_the_start_stays_ignored():
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN) # as nohup does

    for args in (['run', 'sh', '-c', 'read x; echo $x'],
                 ['map', '-n', '1', 'libm.so.6', 'double fabs(double x)']):
        process = start(*args, preexec_fn=ignore)
        time.sleep(1)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        out, err = process.communicate('1\n', timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, '1\n', ''), (args, err)


MPIRUN = ['env', 'OMPI_ALLOW_RUN_AS_ROOT=1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1',
          'EVENT_NOEPOLL=1', 'OMPI_MCA_rmaps_base_oversubscribe=1', 'mpirun']


@test
def ctrl_c_ends_a_program_and_its_workers():
    for starter, status in (([], -signal.SIGINT),
                            ([cadre, 'run'], 130),
                            ([cadre, 'run', '-n', '3'], 130),
                            ([*MPIRUN, '-n', '1'], None),
                            ([*MPIRUN, '-n', '3'], None)):
        t = Terminal(*starter, program, 'busy')
        t.until_seen('ready')
        t.interrupt()
        t.end()
        assert status in (None, t.status), (starter, t.status, t.seen)
        wait_for_none(5)


@test
def a_closed_terminal_ends_a_program_and_its_workers():
    for starter in [], [cadre, 'run'], [cadre, 'run', '-n', '3']:
        t = Terminal(*starter, program, 'busy')
        t.until_seen('ready')
        assert t.hang_up() in (-signal.SIGHUP, 129), (starter, t.status)
        wait_for_none(5)


# Counts the signals that it gets, and takes a second to end after the first.
COUNTER = '''
import signal, time
got = []
for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    signal.signal(number, lambda number, frame: got.append(number))
print('ready', flush=True)
while not got:
    time.sleep(0.01)
until = time.monotonic() + %d
while time.monotonic() < until:
    time.sleep(0.05)
print('got', *map(int, got), flush=True)
raise SystemExit(9)
'''


@test
def run_passes_ctrl_c_on_once_and_waits():
    t = Terminal(cadre, 'run', '-n', '2', sys.executable, '-c', COUNTER % 1)
    t.until(lambda: t.seen.count('ready') == 2)
    t.interrupt()
    assert t.end() == 9, (t.status, t.seen)
    assert 'got 2\r\n' in t.seen, t.seen
    wait_for_none(5)
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start('run', sys.executable, '-c', COUNTER % 1)
        assert process.stdout.readline() == 'ready\n'
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (9, f'got {int(number)}\n'), out


@test
def run_ends_all_at_the_second_ctrl_c():
    t = Terminal(cadre, 'run', '-n', '2', sys.executable, '-c', COUNTER % 1000)
    t.until(lambda: t.seen.count('ready') == 2)
    t.interrupt()
    time.sleep(0.5)
    t.interrupt()
    assert t.end() == 130, (t.status, t.seen)
    wait_for_none(5)


# --- cadre run --------------------------------------------------------------

@test
def run_returns_the_programs_own_status():
    for n in ('1', '2'):
        assert run('run', '-n', n, 'true')[0] == 0
        assert run('run', '-n', n, 'sh', '-c', 'exit 7')[0] == 7
        assert run('run', '-n', n, '--', 'sh', '-c', 'kill -SEGV $$')[0] == 139
    # Other ranks may fail: rank 0 speaks for the program.
    assert run('run', '-n', '2', 'sh', '-c',
               'exit $OMPI_COMM_WORLD_RANK')[0] == 0


@test
def run_passes_streams_and_arguments_through():
    status, out, err = run('run', 'sh', '-c', 'cat; echo "$1" >&2', 'sh', 'a b',
                           rows='hello\n')
    assert (status, out, err) == (0, 'hello\n', 'a b\n'), (out, err)


@test
def run_refuses_what_is_no_program():
    bad(127, 'no program', 'run', 'no-such-program-here')
    bad(127, 'no program', 'run', '/nowhere/prog')
    bad(126, 'cannot be executed', 'run', '/etc/passwd')
    bad(126, 'cannot be executed', 'run', '/usr')


@test
def run_does_not_wait_for_ranks_that_hang():
    began = time.monotonic()
    status, _, _ = run('run', '-n', '2', 'sh', '-c',
                       'test $OMPI_COMM_WORLD_RANK = 0 && exit 4; sleep 100')
    assert status == 4 and time.monotonic() - began < 20
    wait_for_none()


@test
def run_ends_with_its_signal():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        process = start('run', '-n', '2', 'sleep', '100')
        time.sleep(2)
        process.send_signal(number)
        status = process.wait(PATIENCE)
        want = -number if number == signal.SIGKILL else 128 + number
        assert status == want, (status, want)
        wait_for_none(15)
        process.communicate()


@test
def run_tells_that_mpirun_crashed():
    # Of a shell that is rank 0, $PPID is Cadre's part beside it.
    status, _, err = run('run', 'sh', '-c',
                         'kill -SEGV $(ps -o ppid= -p $PPID); exec sleep 100')
    assert status in (3, 128 + 9), (status, err)
    assert 'mpirun was ended by signal 11' in err, err
    wait_for_none(15)


# --- cadre place ------------------------------------------------------------

TOPOLOGIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..',
                          'topologies')


@test
def place_shows_this_machine():
    lines = good('place')
    assert ' core' in lines[0] and ' NUMA node' in lines[0], lines
    assert lines[1].endswith(', compact'), lines
    ours = set()
    for line in lines[lines.index('') + 1:]:
        found = re.match(r' +\d+  ([\d,-]+) +[\d-]', line)
        for part in found.group(1).split(',') if found else []:
            first, _, last = part.partition('-')
            ours |= set(range(int(first), int(last or first) + 1))
    assert ours == os.sched_getaffinity(0), (ours, lines)


@test
def place_shows_another_machine_and_draws_it():
    file = os.path.join(TOPOLOGIES, 'four-gpus.xml')
    with folder() as name:
        picture = os.path.join(name, 'a.svg')
        lines = good('place', '--dry-run', '-n', '4', '--gpus', '1',
                     '--policy', 'scatter', '--topology', file, '--svg',
                     picture)
        assert '     1  8,24       1          NVIDIA 2' in lines, lines
        root = xml.etree.ElementTree.parse(picture).getroot()
    texts = [e.text for e in root.iter('{http://www.w3.org/2000/svg}text')]
    assert '4 ranks of 1 thread and 1 GPU, scatter' in texts, texts
    assert {f'GPU {n}: rank {r}'
            for n, r in ((0, 0), (1, 2), (2, 1), (3, 3))} <= set(texts), texts
    only = '\n'.join(good('place', '--synthetic', 'core:2 pu:1', '--svg', '-'))
    assert xml.etree.ElementTree.fromstring(only).tag.endswith('svg')


@test
def place_says_what_does_not_fit_and_what_is_wrong():
    small = ['--synthetic', 'core:2 pu:1']
    bad(2, 'cadre place: asked for 3 ranks of 1 thread (3 cores), but '
        'synthetic has 2 cores and 0 GPUs', 'place', '-n', '3', *small)
    bad(2, '--policy tight: write compact', 'place', '--policy', 'tight')
    bad(2, '-n 0: write a number', 'place', '-n', '0')
    bad(2, '/no/file.xml cannot be read', 'place', '--topology', '/no/file.xml')
    bad(2, 'describes no machine', 'place', '--synthetic', 'nonsense')
    bad(2, 'cannot be written', 'place', *small, '--svg', '/no/folder/a.svg')
    bad(2, 'All is said by options', 'place', 'here')
    assert any('ranks are not bound' in line for line in
               good('place', '-n', '3', '--oversubscribe', *small))


# --- the end ----------------------------------------------------------------

def main(args):
    global cadre, library, program
    chosen = tests
    if args[0] == '--long':
        args = args[1:]
        chosen = [ten_million_rows_need_no_more_memory]
    cadre, library, program = map(os.path.abspath, args[:3])
    if args[3:]:
        chosen = [t for t in tests if t.__name__ in args[3:]]
    failed = 0
    for function in chosen:
        began = time.monotonic()
        try:
            function()
            wait_for_none()
            verdict = 'ok'
        except Exception:
            traceback.print_exc(file=sys.stdout)
            failed += 1
            verdict = 'FAILED'
            for pid in processes():
                os.kill(pid, signal.SIGKILL)
        print(f'{function.__name__}: {verdict}, '
              f'{time.monotonic() - began:.1f} s', flush=True)
    print(f'cli: {len(chosen) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
