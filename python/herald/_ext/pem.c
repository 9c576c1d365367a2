#include "ext.h"

#include <gnutls/gnutls.h>

PyObject *ext_pem(struct span der)
{
    gnutls_datum_t pem = {NULL, 0};
    gnutls_datum_t certificate = {(unsigned char *)der.data, (unsigned)der.length};
    if (gnutls_pem_base64_encode2("CERTIFICATE", &certificate, &pem) < 0)
        return PyErr_NoMemory();
    PyObject *text = PyUnicode_FromStringAndSize((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    return text;
}
