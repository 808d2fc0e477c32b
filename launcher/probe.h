/* probe.h - something is tried in a process of its own first, because it may
 * not come back: loading a library runs code of the library. */
#ifndef CADRE_LAUNCHER_PROBE_H
#define CADRE_LAUNCHER_PROBE_H

#include "say.h"

/* Does `attempt(arg)` return, in a copy of this process, within `limit_s`
 * seconds? Else `why` says "crashes (Aborted)", "calls exit(3)" or "has not
 * ended within 60 s". What it prints is not seen. True also where no process
 * can be made. Before there are threads. */
bool cadre_probe(void (*attempt)(void *arg), void *arg, double limit_s,
                 struct cadre_why *why);

#endif
