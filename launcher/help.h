/* help.h - what the program says about itself. */
#ifndef CADRE_LAUNCHER_HELP_H
#define CADRE_LAUNCHER_HELP_H

/* Texts that end in a newline; lent for ever. */
extern const char cadre_help[];
extern const char cadre_help_map[];
extern const char cadre_help_place[];
extern const char cadre_help_run[];

/* Print `text` on stdout; returns the exit status. */
int cadre_help_print(const char *text);

#endif
