#include "h3/h3.h"

const struct datagram_engine h3_engine = {.alpn = "h3"};
