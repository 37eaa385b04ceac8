/* SPDX-License-Identifier: ISC
 *
 * pgassay: the command line of the analyzer.
 */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("pgassay %s\n", PGSLUICE_VERSION);
		return 0;
	}
	fprintf(stderr, "usage: pgassay --version\n");
	return 2;
}
