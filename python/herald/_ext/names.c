#include "ext.h"

struct ext_names ext_names;

int ext_names_init(void)
{
#define X(name, text)                                                                              \
    if ((ext_names.name = PyUnicode_InternFromString(text)) == NULL)                               \
        return -1;
    EXT_NAMES(X)
#undef X
    return 0;
}
