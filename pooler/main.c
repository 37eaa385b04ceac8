/* SPDX-License-Identifier: ISC
 *
 * pgsluice: the command line of the pooler.
 */
#include "base.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("pgsluice %s\n", PGSLUICE_VERSION);
		return 0;
	}
	fprintf(stderr, "usage: pgsluice --version\n");
	return 2;
}
