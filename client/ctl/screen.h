/* screen.h - the terminal as a full screen: alternate buffer, keys as they are typed, and everything back as it was.
 *
 * A screen is off or on. On, the signals that matter to it come through a descriptor (screen_fd()): Ctrl-C, SIGTERM,
 * SIGHUP and SIGQUIT end it, SIGTSTP gives the terminal back for as long as we are stopped, SIGWINCH and SIGCONT make
 * it new. A crash gives the terminal back too: its handlers do nothing but that. There is one screen in a process.
 *
 * Plain ANSI sequences, understood by every terminal since the VT100 and by tmux, screen and the Linux console; the
 * curses library would cost more time at the start than a whole `status`. */
#ifndef DROVER_CTL_SCREEN_H
#define DROVER_CTL_SCREEN_H

#include "base/text.h"

typedef enum ScreenKey {
        KEY_NONE = 0, /* 1..0x10ffff: a character, as it is in Unicode */
        KEY_ENTER = 0x110000,
        KEY_ESCAPE,
        KEY_BACKSPACE,
        KEY_UP,
        KEY_DOWN,
        KEY_LEFT,
        KEY_RIGHT,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_HOME,
        KEY_END,
        KEY_OTHER, /* one of no meaning here */
} ScreenKey;

/** screen_is_possible() - stdout is a terminal that understands more than text. */
bool screen_is_possible(void);
/** screen_on() - take the terminal. Return: 0 or -errno, and then nothing has changed. */
int screen_on(void);
/** screen_off() - give it back. Nothing to do when it is off. */
void screen_off(void);

/** screen_fd() - readable when a signal is there; -EBADF when the screen is off. */
int screen_fd(void);
/** screen_signal() - take the signals that are there. Stops this process on SIGTSTP. Return: the number of one that
 * ends us; 0 when there was none of these: draw again. */
int screen_signal(void);
/** screen_size() - rows and columns as they are now; 24 and 80 when the terminal does not say. */
void screen_size(unsigned *ret_rows, unsigned *ret_columns);

/** screen_keys_fd() - stdin when it is a terminal, else -EBADF. */
int screen_keys_fd(void);
/** screen_keys() - the keys typed, at most @max. Return: how many; -EPIPE when the terminal has gone. */
int screen_keys(unsigned *keys, size_t max);
/** screen_key_next() - take one key apart: its bytes at *@p of *@n, both moved on. Pure. KEY_NONE at the end. */
unsigned screen_key_next(const char **p, size_t *n);

/**
 * screen_draw() - show @frame: lines that end with a newline, which must not be wider or more than the screen
 * Each line replaces what stood there; nothing flickers. Return: 0 or -errno.
 */
int screen_draw(const Text *frame);

#endif
