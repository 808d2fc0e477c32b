/* folder.c - makes the folder, locks it, starts who removes it; see folder.h.
 *
 * The lock is an flock() on the folder itself: it belongs to the open
 * descriptor, which children inherit, and the kernel gives it up when the last
 * of them has closed it, in whatever way it ended.
 */
#include "folder.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "cadre-mpi-"

enum { YOUNG_S = 60 }; /* made, and perhaps not locked yet */

static int lock = -1; /* the folder's descriptor, which holds the lock */

/* Run `argv`, whose output nobody sees and which does not keep the lock;
 * returns when it has ended. */
static bool run(char *const argv[])
{
    posix_spawn_file_actions_t files;
    int status, failed;
    pid_t pid;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&files, 0, 1);
    posix_spawn_file_actions_adddup2(&files, 0, 2);
#if defined __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
    /* Nobody is to wait for the end of a pipe because of it. */
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
#endif
    if (lock > 2)
        posix_spawn_file_actions_addclose(&files, lock);
    failed = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The folder goes when nobody has it locked any more. setsid's child is no
 * child of ours, so the program's own wait() never meets it. */
static void remove_when_free(const char *path)
{
    char *const argv[] = {"setsid", "-f",  "flock",      (char *)path,
                          "rm",     "-rf", (char *)path, NULL};

    if (!run(argv))
        cadre_log(CADRE_LOG_INFO, "%s stays until the next start", path);
}

/* Is it a folder of this user's, not just made, that nobody has locked? */
static bool is_left_behind(const char *path)
{
    struct stat st;
    int fd;
    bool is_free;

    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) ||
        st.st_uid != geteuid() || time(NULL) - st.st_ctime < YOUNG_S)
        return false;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    is_free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

static void remove_left_behind(const char *parent)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;
    char path[4096];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *const argv[] = {"rm", "-rf", path, NULL};

        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if (is_left_behind(path))
            run(argv);
    }
    if (dir != NULL)
        closedir(dir);
}

static bool make_in(const char *parent, char *path, size_t room)
{
    int len = snprintf(path, room, "%s/%sXXXXXX", parent, PREFIX);

    if (len < 0 || (size_t)len >= room || mkdtemp(path) == NULL)
        return false;
    lock = open(path, O_RDONLY | O_DIRECTORY);
    if (lock >= 0 && flock(lock, LOCK_SH) == 0)
        return true;
    if (lock >= 0)
        close(lock);
    lock = -1;
    rmdir(path);
    return false;
}

bool cadre_folder_make(bool in_memory, char *path, size_t room)
{
    const char *temporary = getenv("TMPDIR");
    const char *parent = in_memory           ? "/dev/shm"
                         : temporary != NULL ? temporary
                                             : "/tmp";

    if (lock >= 0 || !make_in(parent, path, room))
        return false;
    remove_when_free(path);
    remove_left_behind(parent);
    return true;
}

void cadre_folder_close_on_exec(void)
{
    if (lock >= 0)
        fcntl(lock, F_SETFD, FD_CLOEXEC);
}
