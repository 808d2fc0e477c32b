/* task.c - what a running task can ask and tell. */
#include "runtime/worker.h"

#include <cadre/task.h>

void cadre_task_describe(const cadre_task *self, struct cadre_task_info *info)
{
    cadre_worker_describe(self, info);
}

void cadre_task_progress(cadre_task *self, double progress, const char *text)
{
    if (!(progress >= 0))
        progress = 0;
    cadre_worker_progress(self, progress < 1 ? progress : 1, text);
}

bool cadre_task_is_cancelled(const cadre_task *self)
{
    return cadre_worker_is_cancelled(self);
}
