/* candidates.h - where the program of a command may be: the paths that the new process tries, in order. Pure. */
#ifndef DROVER_PROCESS_CANDIDATES_H
#define DROVER_PROCESS_CANDIDATES_H

#define CANDIDATES_PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/**
 * candidates_make() - for LaunchSpec.candidates
 * @command: absolute; with a slash: below @directory (NULL: "/"); without: in each absolute directory of @path, as
 *           execvp(3) does, but empty and relative ones are passed over
 * Return: 0, *ret is the caller's (strv_free()); -ENOMEM.
 */
int candidates_make(const char *command, const char *path, const char *directory, char ***ret);

#endif
