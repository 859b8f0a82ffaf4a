/* libexec.h - where the programs are that droverd starts: keeper, logger and the host of modules. */
#ifndef DROVER_LIBEXEC_H
#define DROVER_LIBEXEC_H

#define LIBEXEC_VARIABLE "DROVER_LIBEXEC"

/**
 * libexec_find() - $DROVER_LIBEXEC, the directory of this very program, ../libexec/drover of it, where it was installed
 * Return: the first that is executable, the caller's to free; NULL when there is none.
 */
char *libexec_find(const char *name);
/** libexec_own_path() - of this very program, the caller's to free; NULL when /proc is not there. */
char *libexec_own_path(void);
/** libexec_module_path() - "DIR:DIR" for modules: those of $DROVER_MODULE_PATH, then the installed one. NULL: no memory. */
char *libexec_module_path(void);

#endif
