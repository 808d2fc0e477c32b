/* main.c - the program `cadre`: finds the command and runs it. */
#include "help.h"
#include "map.h"
#include "place.h"
#include "run.h"
#include "say.h"

#include <cadre/init.h>

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *speaker; /* in front of its messages */
    const char *help;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"map", "cadre map", cadre_help_map, cadre_map_main},
    {"place", "cadre place", cadre_help_place, cadre_place_main},
    {"run", "cadre run", cadre_help_run, cadre_run_main},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 3)
        return cadre_help_print(cadre_help);
    if ((command = find_command(argv[2])) == NULL)
        return cadre_complain_usage("unknown command %s", argv[2]);
    return cadre_help_print(command->help);
}

static int version(void)
{
    char text[64];

    snprintf(text, sizeof text, "cadre %s\n", cadre_version());
    return cadre_help_print(text);
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2)
        return cadre_complain_usage("which command? map, run or place");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cadre_help_print(cadre_help);
    if (strcmp(argv[1], "help") == 0)
        return help(argc, argv);
    if (strcmp(argv[1], "--version") == 0)
        return version();
    if ((command = find_command(argv[1])) == NULL)
        return cadre_complain_usage(
            "unknown %s %s", argv[1][0] == '-' ? "option" : "command", argv[1]);
    cadre_say_as(command->speaker);
    return command->run(argc - 1, argv + 1);
}
