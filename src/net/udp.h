/* UDP sockets for QUIC: batches in, one buffer of many datagrams out (GSO), ECN both ways, and the
 * local address of each datagram, so that answers leave from where the question came to. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "http/conn.h"
#include "net/address.h"
#include "net/listener.h"

#define UDP_BATCH 32
#define UDP_DATAGRAM_SIZE                                                                          \
    2048 /* longer ones are dropped: nobody has been told he may send them                         \
          */

struct udp_socket {
    int descriptor;
    uint16_t port;
    int family;
    bool no_segments; /* the kernel or the device cannot cut buffers into datagrams */
    struct socket_address bound;
};

/* Binds, close-on-exec and non-blocking. Returns 0, or HERALD_ERROR_IO with `error` filled (errno
 * kept). */
int udp_open(struct udp_socket *udp, const struct socket_address *address, bool reuse_port,
             struct listener_error *error);
void udp_close(struct udp_socket *udp);

/* One datagram of a batch; `in` points into this and into the buffer. */
struct udp_datagram {
    struct conn_in in;
    struct socket_address local, peer;
};

/* Reads what waits, at most UDP_BATCH datagrams, into `buffer` of UDP_BATCH times
 * UDP_DATAGRAM_SIZE bytes. Returns how many; 0 when none do; HERALD_ERROR_IO. */
int udp_receive(struct udp_socket *udp, uint8_t *buffer, struct udp_datagram *datagrams);

/* Sends out->length bytes as datagrams of out->segment. `*sent` (bytes, 0 at first) is where a call
 * that returned HERALD_ERROR_AGAIN goes on. Returns 0 when all has been handed over or must count
 * as lost, HERALD_ERROR_AGAIN when the socket is full. */
int udp_send(struct udp_socket *udp, const struct conn_out *out, size_t *sent);

#endif
