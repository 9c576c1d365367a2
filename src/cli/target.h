/* What the word after `herald serve` means.
 *
 *  1. "http://..." or "https://...": an upstream. Any other "scheme://" is refused.
 *  2. "asgi:module:attr", "wsgi:module:attr": an application of that interface.
 *  3. An existing folder, or a word that is written as a path ("./x", "/x", "../x", "x/", "."): a
 *     folder. `./` before a name with a colon makes it a folder.
 *  4. "module:attr", dotted Python names on both sides: an application.
 *  5. "module", where module.py or module/__init__.py is there: the application `module:app`.
 *
 * A folder wins over rule 5 but a package (with __init__.py) is not taken for a folder. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "server/config.h"

#define TARGET_ERROR_MAXIMUM 400

/* Sets config->target (the canonical form: "module:attr", the folder's path, the URL), target_kind
 * and maybe interface. Returns 0, or HERALD_ERROR_CONFIG with one line's text in `error`. The
 * folder is there; a URL has been parsed; modules are not looked at. */
int target_decide(struct serve_config *config, const char *text, char error[TARGET_ERROR_MAXIMUM]);

#endif
