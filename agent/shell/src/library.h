// SPDX-License-Identifier: Apache-2.0
// Libraries that only some agents need are loaded when their configuration asks for them: libcurl
// and libmicrohttpd bring twenty more (GnuTLS, Kerberos, LDAP), whose loading alone takes 9 ms of
// CPU, more than all else that an agent does at its start.
//
// A library stays until the process ends. Errors: -ENOTSUP with a sentence that names the library.
#ifndef AGENT_SHELL_LIBRARY_H
#define AGENT_SHELL_LIBRARY_H

#include <stddef.h>

#include "model/error.h"

// Fills calls[0 .. count-1], pointers to functions, with those of these names; all or none.
int library_load(const char *file, const char *const *names, size_t count, void (**calls)(void),
                 struct error *error);

#endif
