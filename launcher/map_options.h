/* map_options.h - the command line of `cadre map`. */
#ifndef CADRE_LAUNCHER_MAP_OPTIONS_H
#define CADRE_LAUNCHER_MAP_OPTIONS_H

#include "binding.h"
#include "input.h"

enum cadre_when { CADRE_AUTO, CADRE_ALWAYS, CADRE_NEVER };

struct cadre_map_options {
    const char *library;
    const char *prototype;
    struct cadre_input_options input;
    struct cadre_binding_options binding;
    size_t nstructs;
    char **structs;      /* of --struct: "NAME: FIELDS"; what they point to is
                            borrowed */
    int workers;         /* 0: not given */
    int at_least;        /* so many are enough; 0: not given, all */
    uint64_t chunk_size; /* 0: not given */
    double spawn_timeout_s;
    const char *worker_program; /* NULL: not given */
    const char *journal;        /* NULL: not given */
    enum cadre_when progress;
    double timeout_s; /* 0: not given; and the others */
    double task_timeout_s;
    uint64_t retries;
    uint64_t max_failures;
    uint64_t grace_s;
    bool is_unordered;
    bool keeps_going;
    bool retries_failed;
    bool is_dry_run;
    bool is_verbose;
};

/* Read `argv` ("map", ...), which is borrowed and may be reordered. Returns a
 * negative number to go on with, or the exit status to leave with: a mistake
 * was reported, or help printed. fini is needed in any case. */
int cadre_map_options_init(struct cadre_map_options *options, int argc,
                           char **argv);
void cadre_map_options_fini(struct cadre_map_options *options);

#endif
