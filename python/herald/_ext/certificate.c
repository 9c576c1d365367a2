#include "ext.h"

#include <gnutls/x509.h>

static PyObject *text_of(const gnutls_datum_t *text)
{
    return PyUnicode_DecodeUTF8((const char *)text->data, text->size, "replace");
}

PyObject *ext_pem(struct span der)
{
    gnutls_datum_t pem = {NULL, 0};
    gnutls_datum_t certificate = {(unsigned char *)der.data, (unsigned)der.length};
    if (gnutls_pem_base64_encode2("CERTIFICATE", &certificate, &pem) < 0)
        return PyErr_NoMemory();
    PyObject *text = text_of(&pem);
    gnutls_free(pem.data);
    return text;
}

PyObject *ext_subject_name(struct span der)
{
    gnutls_x509_crt_t certificate;
    gnutls_datum_t name = {NULL, 0};
    gnutls_datum_t data = {(unsigned char *)der.data, (unsigned)der.length};
    if (gnutls_x509_crt_init(&certificate) < 0)
        return PyErr_NoMemory();
    PyObject *text = NULL;
    if (gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_crt_get_dn3(certificate, &name, 0) == 0)
        text = text_of(&name);
    else
        text = Py_NewRef(Py_None);
    gnutls_free(name.data);
    gnutls_x509_crt_deinit(certificate);
    return text;
}
