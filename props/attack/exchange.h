/* SPDX-License-Identifier: Apache-2.0
 * exchange.h: somebody outside who exchanges two names while a root is switched: what a program
 * meets that checks a name and then looks it up again.
 *
 *     attack exchange DIRECTORY ONE OTHER
 *
 * exchanges two names in a directory, and back, until SIGTERM, and prints how often. ONE may end in
 * '*': it is then whatever name begins so at the moment. */
#pragma once

int exchange_names(const char* directory, const char* one, const char* other);
