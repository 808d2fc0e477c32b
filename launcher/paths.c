/* paths.c - finds programs; see paths.h. */
#include "paths.h"

#include "say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cadre_path_self(char *path, size_t room)
{
    ssize_t len = readlink("/proc/self/exe", path, room - 1);

    if (len <= 0 || (size_t)len >= room - 1)
        return false;
    path[len] = '\0';
    return true;
}

bool cadre_path_has_folder(void)
{
    char path[PATH_MAX];

    if (getcwd(path, sizeof path) != NULL)
        return true;
    cadre_complain("the current folder cannot be found: %s: cd to another one",
                   strerror(errno));
    return false;
}

/* A regular file that may be executed? Otherwise errno says why not. */
static bool is_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    errno = EACCES;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

void cadre_path_beside(const char *name, char *path, size_t room)
{
    char self[PATH_MAX];
    char *slash;

    if (cadre_path_self(self, sizeof self) &&
        (slash = strrchr(self, '/')) != NULL) {
        *slash = '\0';
        if ((size_t)snprintf(path, room, "%s/%s", self, name) < room &&
            is_program(path))
            return;
    }
    snprintf(path, room, "%s", name);
}

bool cadre_path_find(const char *name, char *path, size_t room)
{
    const char *folders = getenv("PATH");
    int error = ENOENT;

    if (strchr(name, '/') != NULL) {
        snprintf(path, room, "%s", name);
        return is_program(path);
    }
    for (const char *from = folders != NULL ? folders : "/usr/bin:/bin";;) {
        size_t len = strcspn(from, ":");

        snprintf(path, room, "%.*s/%s", len > 0 ? (int)len : 1,
                 len > 0 ? from : ".", name);
        if (is_program(path))
            return true;
        if (errno == EACCES)
            error = EACCES;
        if (from[len] == '\0')
            break;
        from += len + 1;
    }
    errno = error;
    return false;
}
