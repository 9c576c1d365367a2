#include "net/udp.h"

#include "base/err.h"
#include "net/listener_private.h"
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define RECEIVE_BUFFER   (2 * 1024 * 1024)
#define SEGMENTS_MAXIMUM 64 /* the kernel's UDP_MAX_SEGMENTS */
#define ECN_MASK         3

union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
               CMSG_SPACE(sizeof(uint16_t))];
};

static int set_options(int descriptor, int family, bool reuse_port, const struct sockaddr *name)
{
    int one = 1, zero = 0, probe = IP_PMTUDISC_PROBE, size = RECEIVE_BUFFER;
    if (reuse_port && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)name;
        bool any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, any ? &zero : &one, sizeof(one));
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
        if (setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) != 0)
            return -1;
        if (!any)
            return 0;
    }
    /* A socket for both families takes these too. */
    setsockopt(descriptor, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
    setsockopt(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
    if (family == AF_INET)
        return setsockopt(descriptor, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
    return 0;
}

static uint16_t port_of(const struct socket_address *address)
{
    return address->storage.ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port)
               : ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

int udp_open(struct udp_socket *udp, const struct socket_address *address, bool reuse_port,
             struct listener_error *error)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    char text[LISTENER_NAME_SIZE];
    address_print(name, address->length, text, sizeof(text));
    *udp = (struct udp_socket){.family = name->sa_family};
    udp->descriptor = socket(name->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp->descriptor >= 0 &&
        set_options(udp->descriptor, name->sa_family, reuse_port, name) == 0 &&
        bind(udp->descriptor, name, address->length) == 0) {
        udp->bound.length = sizeof(udp->bound.storage);
        getsockname(udp->descriptor, (struct sockaddr *)&udp->bound.storage, &udp->bound.length);
        udp->port = port_of(&udp->bound);
        return 0;
    }
    int number = errno;
    udp_close(udp);
    errno = number;
    return listener_fail(error, HERALD_ERROR_IO, "cannot take UDP on %s: %s", text,
                         uv_strerror(-number));
}

void udp_close(struct udp_socket *udp)
{
    if (udp->descriptor >= 0)
        close(udp->descriptor);
    udp->descriptor = -1;
}

static void read_control(struct msghdr *message, struct udp_datagram *datagram)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&datagram->local.storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&datagram->local.storage;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        const void *data = CMSG_DATA(control);
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            in->sin_addr = ((const struct in_pktinfo *)data)->ipi_addr;
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            in6->sin6_addr = ((const struct in6_pktinfo *)data)->ipi6_addr;
        } else if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_TOS) {
            datagram->in.ecn = *(const uint8_t *)data & ECN_MASK;
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_TCLASS) {
            int class;
            memcpy(&class, data, sizeof(class));
            datagram->in.ecn = (uint8_t)(class & ECN_MASK);
        }
    }
}

int udp_receive(struct udp_socket *udp, uint8_t *buffer, struct udp_datagram *datagrams)
{
    struct mmsghdr messages[UDP_BATCH];
    struct iovec vectors[UDP_BATCH];
    union control controls[UDP_BATCH];
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        vectors[i] = (struct iovec){buffer + (size_t)i * UDP_DATAGRAM_SIZE, UDP_DATAGRAM_SIZE};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &datagrams[i].peer.storage,
            .msg_namelen = sizeof(datagrams[i].peer.storage),
            .msg_iov = &vectors[i],
            .msg_iovlen = 1,
            .msg_control = &controls[i],
            .msg_controllen = sizeof(controls[i]),
        };
    }
    int count;
    do
        count = recvmmsg(udp->descriptor, messages, UDP_BATCH, MSG_DONTWAIT, NULL);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == ECONNREFUSED ? 0 : HERALD_ERROR_IO;
    for (int i = 0; i < count; i++) {
        struct udp_datagram *datagram = &datagrams[i];
        struct msghdr *message = &messages[i].msg_hdr;
        datagram->peer.length = message->msg_namelen;
        datagram->local = udp->bound;
        datagram->in = (struct conn_in){
            .data = {vectors[i].iov_base, message->msg_flags & MSG_TRUNC ? 0 : messages[i].msg_len},
            .path = {&datagram->local.storage, &datagram->peer.storage, udp->bound.length,
                     message->msg_namelen},
        };
        read_control(message, datagram);
    }
    return count;
}

static void *add_control(struct msghdr *message, int level, int type, size_t length)
{
    struct cmsghdr *control =
        (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);
    memset(control, 0, CMSG_SPACE(length));
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(length);
    message->msg_controllen += CMSG_SPACE(length);
    return CMSG_DATA(control);
}

static void write_control(struct msghdr *message, const struct conn_out *out, size_t segment)
{
    const struct sockaddr *local = out->path.local;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)local;
    bool is_ipv4 = local->sa_family == AF_INET ||
                   (local->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr));
    int ecn = out->ecn;
    if (local->sa_family == AF_INET) {
        const struct in_pktinfo source = {.ipi_spec_dst =
                                              ((const struct sockaddr_in *)local)->sin_addr};
        if (source.ipi_spec_dst.s_addr != htonl(INADDR_ANY))
            memcpy(add_control(message, IPPROTO_IP, IP_PKTINFO, sizeof(source)), &source,
                   sizeof(source));
    } else if (!IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
        const struct in6_pktinfo source = {.ipi6_addr = in6->sin6_addr};
        memcpy(add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(source)), &source,
               sizeof(source));
    }
    if (ecn != 0)
        memcpy(add_control(message, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                           is_ipv4 ? IP_TOS : IPV6_TCLASS, sizeof(ecn)),
               &ecn, sizeof(ecn));
    if (segment != 0) {
        uint16_t size = (uint16_t)segment;
        memcpy(add_control(message, IPPROTO_UDP, UDP_SEGMENT, sizeof(size)), &size, sizeof(size));
    }
}

/* One call of the kernel. Returns 0 or an errno. */
static int send_some(struct udp_socket *udp, const struct conn_out *out, size_t from, size_t length)
{
    union control control;
    struct iovec vector = {out->data + from, length};
    struct msghdr message = {
        .msg_name = (void *)out->path.peer,
        .msg_namelen = out->path.peer_length,
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
    };
    write_control(&message, out, length > out->segment ? out->segment : 0);
    if (message.msg_controllen == 0)
        message.msg_control = NULL;
    ssize_t count;
    do
        count = sendmsg(udp->descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return count < 0 ? errno : 0;
}

int udp_send(struct udp_socket *udp, const struct conn_out *out, size_t *sent)
{
    while (*sent < out->length) {
        size_t left = out->length - *sent;
        size_t most = out->segment * (udp->no_segments ? 1 : SEGMENTS_MAXIMUM);
        size_t length = left < most ? left : most;
        int number = send_some(udp, out, *sent, length);
        if (number == EAGAIN || number == ENOBUFS)
            return HERALD_ERROR_AGAIN;
        if ((number == EIO || number == EINVAL) && length > out->segment) {
            udp->no_segments = true;
            continue;
        }
        /* What cannot be sent is lost, as it might be further on: QUIC repeats it, finds a smaller
         * size, or gives up. */
        *sent += length;
    }
    return 0;
}
