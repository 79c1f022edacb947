/* SPDX-License-Identifier: Apache-2.0
 * exchange.c: see exchange.h. */
#define _GNU_SOURCE
#include "exchange.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

/* The name in this directory that begins with `prefix`, if there is one. */
static const char* find(DIR* folder, const char* prefix) {
  struct dirent* entry;
  rewinddir(folder);
  while ((entry = readdir(folder)) != NULL) {
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) return entry->d_name;
  }
  return NULL;
}

int exchange_names(const char* directory, const char* one, const char* other) {
  signal(SIGTERM, stop);
  DIR* folder = opendir(directory);
  if (folder == NULL) return 2;
  const int at = dirfd(folder);
  char prefix[256];
  snprintf(prefix, sizeof(prefix), "%s", one);
  char* const star = strchr(prefix, '*');
  if (star != NULL) *star = '\0';
  unsigned long count = 0;
  while (!stopped) {
    const char* name = star == NULL ? one : find(folder, prefix);
    if (name == NULL || renameat2(at, name, at, other, RENAME_EXCHANGE) != 0) continue;
    ++count;
    renameat2(at, name, at, other, RENAME_EXCHANGE); /* back */
  }
  printf("%lu\n", count);
  return 0;
}
