/* SPDX-License-Identifier: Apache-2.0
 * static_true.c: a static program that ends at once: what is run in the new root. */
int main(void) { return 0; }
