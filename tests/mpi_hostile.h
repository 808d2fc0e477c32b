/* mpi_hostile.h - what a worker that cannot be trusted does when it is given
 * the number HOSTILE + mode as the first of a batch (mpi_hostile_worker.c). */
#ifndef CADRE_TESTS_MPI_HOSTILE_H
#define CADRE_TESTS_MPI_HOSTILE_H

enum { HOSTILE = 1000000 };

enum hostile_mode {
    OF_NO_BATCH,         /* results of a job that there is not */
    OF_OTHER_ROWS,       /* results of rows that come later */
    TOO_MANY,            /* results of more rows than it was given */
    TWICE,               /* the right results, and then the same again */
    OTHER_GENERATION,    /* the right results, of a crew to come */
    UNKNOWN_TYPE,        /* a frame of a type that there is not */
    TOO_LONG,            /* a frame that is longer than its message */
    LENGTH_OF_NOTHING,   /* a frame of length 0 */
    RANDOM,              /* bytes that are no frame */
    EMPTY,               /* a message without a byte */
    ODD_LENGTH,          /* a message that is no multiple of 16 bytes */
    WELCOME_TWICE,       /* its greeting once more */
    BULKS_TOO_LARGE,     /* large arrays announced, of 2^62 bytes */
    BULKS_WITHOUT_END,   /* more of them than the announcement has room for */
    BULKS_OF_NOTHING,    /* arrays of 0 bytes */
    BULKS_THAT_STAY_OUT, /* arrays that are never sent; then it ends */
    BULK_TOO_SHORT,      /* an array of fewer bytes than announced */
    BULK_TOO_LONG,       /* and of more */
    UNKNOWN_BULK,        /* outputs that name an array that has not come */
    CUT_OUTPUTS,         /* results whose outputs are too short */
    OUTPUTS_OF_MORE,     /* outputs_len goes beyond the frame */
    FAILURES_OF_MORE,    /* more failures than there are rows */
    FAILURE_ELSEWHERE,   /* the failure of a row that it was not given */
    OF_A_CONTROLLER,     /* a frame that only controllers send */
    NEWS_OF_NO_TASK,     /* news of a job that there is not, then the results */
    PULSE_HERE,          /* a frame of another tag */
    HOSTILE_MODES
};

#endif
