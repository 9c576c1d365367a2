/* Error codes for internal code; the list itself is public. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "herald_error.h"

#endif
